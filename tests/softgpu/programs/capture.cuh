// Captures what the runtime writes to standard error.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

// Catches standard error from its making to text().
class Capture {
 public:
  Capture() : saved_(dup(2)), file_(std::tmpfile()) { dup2(fileno(file_), 2); }
  std::string text() {
    std::fflush(stderr);
    dup2(saved_, 2);
    std::string result;
    std::rewind(file_);
    for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_)) {
      result += static_cast<char>(c);
    }
    return result;
  }

 private:
  int saved_;
  std::FILE* file_;
};

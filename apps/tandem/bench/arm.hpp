// One side of a comparison: a program that keeps the data in memory, fits and predicts when it is
// asked to, and is asked in turn with the others.
//
// It reads a line of JSON and answers with one:
//
//   {"op": "load", "threads": 2, "x": FILE, "y": FILE or null, "test": FILE, "case": {...}}
//       {"version": "1.2.3"}
//   {"op": "fit"}                    {"seconds": 1.5, "processor_seconds": 2.9, "peak_bytes": 10}
//   {"op": "predict", "out": FILE}   {"seconds": ..., "processor_seconds": ..., "holds": "labels"}
//
// or with {"error": TEXT, "missing": true where it is a library that is not there}. peak_bytes is
// what the process's memory has grown by at most since the data was loaded.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tandem/bench/case.hpp"

namespace tandem::program {

struct ArmFailure {
  std::string why;
  bool missing = false;  // there is no such library on this machine
};

// The process of an arm. It is killed where this is destroyed.
class Arm {
 public:
  // `environment` are NAME=VALUE that it gets beside this process's.
  Arm(std::string name, std::vector<std::string> command, std::vector<std::string> environment);
  Arm(const Arm&) = delete;
  Arm& operator=(const Arm&) = delete;
  ~Arm();

  [[nodiscard]] const std::string& name() const { return name_; }
  // Waits at most `seconds` for the answer. Throws ArmFailure where the arm reports an error, ends
  // or does not answer; Interrupted where a signal has come.
  nlohmann::json ask(const nlohmann::json& request, double seconds);
  // Nothing more will be asked: waits until it has ended of itself, at most so many seconds. Throws
  // as ask() does, and where its status is not 0.
  void end(double seconds);

 private:
  [[nodiscard]] std::string last_words() const;

  std::string name_;
  int child_ = -1;
  int to_ = -1;
  int from_ = -1;
  std::string unread_;
  std::string log_;  // what it writes to its standard error
};

// Answers requests from standard input until it ends: Tandem as an arm.
int serve_as_arm();

}  // namespace tandem::program

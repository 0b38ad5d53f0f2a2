// Included first by tools/lint.py: Clang 14 reads libstdc++ 12 but lacks the builtin that
// std::source_location needs, so that the class is not there.
#pragma once

#if defined(__clang__) && __clang_major__ < 16 && defined(__cplusplus)

namespace std {

struct source_location {
  static constexpr source_location current(const char* file = __builtin_FILE(),
                                           const char* function = __builtin_FUNCTION(),
                                           unsigned line = __builtin_LINE()) noexcept {
    source_location made;
    made.file_ = file;
    made.function_ = function;
    made.line_ = line;
    return made;
  }
  constexpr const char* file_name() const noexcept { return file_; }
  constexpr const char* function_name() const noexcept { return function_; }
  constexpr unsigned line() const noexcept { return line_; }

 private:
  const char* file_ = "";
  const char* function_ = "";
  unsigned line_ = 0;
};

}  // namespace std

#endif

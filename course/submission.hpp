// A source of kernels as submissions, lessons and tests write it: CUDA with lines for the grader.
//
//   //@ launch sum_blocks grid=ceil(n/1024) block=256 shared=0
//
// says that the kernel is launched, with these numbers of blocks, threads and bytes of dynamic
// shared memory; grid and block have up to three numbers separated by commas. Several such lines
// are launches one after the other. Numbers are expressions of the challenge's sizes
// (expression.hpp).
//
//   //@ kernel NAME TEXT...
//
// begins a section: the code up to the next such line, with launches of its own. Lessons have one
// for each rung, tests for each right and wrong kernel; a submission has none.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "course/challenge.hpp"

namespace tandem::course {

struct LaunchLine {
  std::string kernel;
  std::array<std::string, 3> grid{"1", "1", "1"};
  std::array<std::string, 3> block{"1", "1", "1"};
  std::string shared = "0";
  int line = 0;
};

struct Section {
  std::string name;  // empty: before the first
  std::string text;  // what follows the name
  std::vector<LaunchLine> launches;
  std::string source;
  int line = 0;
};

// Throws InputError that names `file` and the line.
[[nodiscard]] std::vector<Section> read_sections(std::string_view source, const std::string& file);

struct Launch {
  std::string kernel;
  std::array<std::uint32_t, 3> grid{1, 1, 1};
  std::array<std::uint32_t, 3> block{1, 1, 1};
  std::uint32_t shared = 0;
};
// Throws InputError where a number is not what a launch may have.
[[nodiscard]] Launch launch_of(const LaunchLine& line, const Sizes& sizes, const std::string& file);

}  // namespace tandem::course

// An algorithm's agreement as a gtest: all of its parts, both precisions, the engines that there
// are.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "agree/agreement.hpp"
#include "support/cuda.hpp"

namespace tandem::test {

// `device`: cuda_device() in *_cuda_test.cpp; Device::reference where there is no CUDA half, for
// reference and cpu alone.
inline void expect_agreement(const std::string& algorithm, Device device, int cases = 0) {
  AgreementOptions options;
  options.algorithms = {algorithm};
  options.cases = cases;
  if (device == Device::cuda || device == Device::softgpu) options.devices.push_back(device);
  RunControl control;
  for (const AgreementLine& line : check_agreement(options, control).lines) {
    SCOPED_TRACE(line.algorithm + " " + line.part + " " + std::string(to_string(line.precision)));
    EXPECT_GT(line.cases, line.refused);
    EXPECT_EQ(line.failure, "");
    EXPECT_EQ(line.differing_bits, 0)
        << (line.first_difference
                ? line.first_difference->engine + ": " + line.first_difference->output + "\n" +
                      line.first_difference->command
                : "");
    EXPECT_EQ(line.outside, 0) << (line.worst ? line.worst->output + "\n" + line.worst->command
                                              : "");
  }
}

}  // namespace tandem::test

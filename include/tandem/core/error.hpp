// The exceptions that Tandem throws. Their messages are for the person who typed the command:
// they name the file, row, column or option, say what was expected, and what to do.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tandem/core/export.hpp"

namespace tandem {

// The name of an option inside a message, marked so that each reader can be shown it as it is
// spelled where they are: "max_depth" in the library, "--max-depth" on the command line.
[[nodiscard]] TANDEM_API std::string option(std::string_view name);

class TANDEM_API Error : public std::runtime_error {
 public:
  // `message` may hold marked names of options, see option(); what() has them as they are called
  // in the library.
  explicit Error(const std::string& message);

  // The message with every name of an option as `spell` writes it.
  [[nodiscard]] std::string spelled(
      const std::function<std::string(std::string_view)>& spell) const;
  // The message with its marks, for an error that wraps this one.
  [[nodiscard]] const std::string& marked() const noexcept { return *marked_; }

 private:
  std::shared_ptr<const std::string> marked_;  // shared, so that a copy cannot throw
};

// The input or the options are wrong; the same call will fail again. Exit status 2.
class TANDEM_API InputError : public Error {
 public:
  using Error::Error;
};

// The operating system refused: full disk, no permission, out of memory. Exit status 1.
class TANDEM_API SystemError : public Error {
 public:
  using Error::Error;
};

// The device that was asked for is missing or failed. Exit status 1.
class TANDEM_API DeviceError : public Error {
 public:
  using Error::Error;
};

// Device memory is not enough for what was asked.
class TANDEM_API OutOfDeviceMemory : public DeviceError {
 public:
  OutOfDeviceMemory(const std::string& message, std::size_t needed_bytes, std::size_t free_bytes)
      : DeviceError(message), needed(needed_bytes), free(free_bytes) {}
  std::size_t needed;  // bytes
  std::size_t free;    // bytes
};

// A kernel did something that the device stopped it for. CUDA gives no way to go on: every later
// call on the device by this process fails; other engines stay usable.
class TANDEM_API KernelFault : public DeviceError {
 public:
  using DeviceError::DeviceError;
};

// The numbers left the range in which the method is defined: a diverging fit, a matrix that is
// singular to working precision. Exit status 1.
class TANDEM_API NumericalError : public Error {
 public:
  using Error::Error;
};

// RunControl::stop_requested() answered true and the run stopped at a safe point. The state, where
// a checkpoint was asked for, has been saved. Exit status 130.
class TANDEM_API Interrupted : public Error {
 public:
  using Error::Error;
};

}  // namespace tandem

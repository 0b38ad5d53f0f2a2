// A device image: PTX modules linked together and loaded for one device.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "softgpu/exec/machine.hpp"
#include "softgpu/ptx/ast.hpp"

namespace softgpu {

// A program that cannot be loaded or decoded; `code` is CUDA's (cudaErrorInvalidPtx, ...).
class ProgramError : public std::runtime_error {
 public:
  ProgramError(int code, const std::string& what) : std::runtime_error(what), code_(code) {}
  [[nodiscard]] int code() const noexcept { return code_; }

 private:
  int code_;
};

// A module variable with storage.
struct Symbol {
  std::uint64_t address = 0;
  std::size_t bytes = 0;
  ptx::Space space = ptx::Space::global;
  bool managed = false;
};

class CountedCodes;  // observe/counters.cpp
namespace check {
class CheckedCodes;  // check/checked_launch.cpp
}

class Program {
 public:
  // Reads the modules' declarations and gives their variables memory with initial values. Names in
  // `bound` are not given memory but stand for that address: managed variables are one for all
  // devices. Several texts are linked: what is .extern in one is looked up in the others.
  // Throws ProgramError.
  Program(std::vector<std::string> texts, int device,
          const std::map<std::string, std::uint64_t>& bound = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // The decoded kernel; nullptr where no module has one of this name. A kernel and what it calls
  // are decoded when they are first asked for. Throws ProgramError.
  [[nodiscard]] const Code* kernel(std::string_view name);
  [[nodiscard]] bool has_kernel(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> kernels() const;
  [[nodiscard]] const Symbol* symbol(std::string_view name) const;
  [[nodiscard]] int device() const noexcept { return device_; }
  // The versions of its functions that count what they do; made as they are needed.
  [[nodiscard]] std::shared_ptr<CountedCodes> counted_codes();
  // The same that are checked.
  [[nodiscard]] std::shared_ptr<check::CheckedCodes> checked_codes();

  // --- for the decoder ------------------------------------------------------------------------

  struct Module;
  // A function's code, decoded by now or, in a recursion, being decoded; nullptr where no module
  // has it. Only while decoding.
  [[nodiscard]] const Code* function(const Module& from, std::string_view name);
  // Address of a module variable as its own space counts: an offset for shared memory.
  [[nodiscard]] const Symbol* variable(const Module& from, const ptx::Variable& variable) const;
  // Where a shared variable is that functions other than kernels name; nullptr for another.
  [[nodiscard]] const std::uint64_t* shared_offset(const ptx::Variable& variable) const;
  // The value of a pointer to this function. Throws ProgramError where there is no such function.
  [[nodiscard]] std::uint64_t function_address(const Module& from, std::string_view name);
  // The function that starts at this address, as an indirect call has it; nullptr for none. Safe to
  // call while kernels run.
  [[nodiscard]] const Code* function_at(std::uint64_t address);
  // Code that was decoded names the shared memory that the system keeps: blocks have to have it.
  void use_reserved_shared() noexcept { reserved_shared_ = true; }
  [[nodiscard]] bool uses_reserved_shared() const noexcept { return reserved_shared_; }

 private:
  struct Parts;
  [[nodiscard]] std::pair<const Module*, ptx::Function*> find(const Module& from,
                                                              std::string_view name) const;
  [[nodiscard]] std::uint64_t place_shared(const Module& of, ptx::Function& kernel);
  std::unique_ptr<Parts> parts_;
  std::shared_ptr<CountedCodes> counted_;
  std::shared_ptr<check::CheckedCodes> checked_;
  int device_;
  std::atomic<bool> reserved_shared_{false};
};

}  // namespace softgpu

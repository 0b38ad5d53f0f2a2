// Allocations of device memory as the checker keeps them: where each was made and freed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace softgpu::check {

// Addresses of the callers of the interface's function that is running, the nearest first.
using Callers = std::vector<const void*>;
// How the runtime finds callers, and how it describes them: "in main, at ./a.out+0x12". It sets
// them; without it sites are empty.
void set_caller_finder(Callers (*find)(), std::string (*describe)(const Callers&));

[[nodiscard]] Callers callers_now();
[[nodiscard]] std::string describe_callers(const Callers& callers);

// Memory of a device was allocated, or freed. Its bytes are undefined unless `defined`; `by_host`:
// by a call of the interface, which has a caller, and not by a kernel.
void allocated(std::uint64_t address, std::uint64_t bytes, bool defined, bool by_host);
void freed(std::uint64_t address);
// Memory that is not the program's own (parameters of launches from kernels) came or went: accesses
// to what was there before are none to what is there now.
void forget_accesses(std::uint64_t address, std::uint64_t bytes);
// The program has freed memory that the runtime keeps for something that is left of it: no leak.
void given_back(std::uint64_t address);
// Where the allocation that begins, or began, at `address` was made; empty where that is not known.
[[nodiscard]] std::string allocation_site(std::uint64_t address);
// The same of where it was freed.
[[nodiscard]] std::string free_site(std::uint64_t address);

// A call of the host frees the address: reports it where a kernel has allocated that.
void host_frees(std::uint64_t address);
// Reports what was never freed: an error where the program frees other memory, else a notice. Not
// after a kernel's fault, when nothing can be freed any more.
void report_leaks();

}  // namespace softgpu::check

// What the checker is told of the host's side, by the runtime. Each does nothing where nothing is
// checked.
#pragma once

#include <cstddef>
#include <string>

namespace softgpu::check {

// The work that runs now has copied, or set, bytes.
void copied(const void* to, const void* from, std::size_t bytes);
void filled(const void* to, std::size_t bytes);
// The work that runs now is the allocation, or the freeing, of memory in a stream's order.
void allocated_in_stream(const void* address, std::size_t bytes);
void freed_in_stream(const void* address);
// A library of the runtime (cuBLAS) computes on the host what it promises to compute on the device:
// what it wrote is not followed, and all memory counts as written from here on.
void library_works();

// A call of the interface refused its arguments; `caller` describes who called.
void call_failed(const std::string& call, const std::string& error, const std::string& why,
                 const std::string& caller);
// An error that the program has not asked about by its end.
void error_unasked(const std::string& call, const std::string& error, const std::string& caller);

}  // namespace softgpu::check

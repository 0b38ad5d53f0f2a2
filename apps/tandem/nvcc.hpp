// NVIDIA's compiler, for programs that the software GPU is to run.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tandem::program {

// Becomes nvcc with these arguments, and with what a program for the software GPU needs where the
// arguments leave it open: the shared runtime, PTX (of compute_80), line numbers. Says the command
// on standard error. Throws InputError without arguments, and SystemError where there is no nvcc
// 13; looked for in TANDEM_NVCC, CUDA_HOME, CUDA_PATH, PATH, /usr/local/cuda, and where ./dev puts
// one.
[[nodiscard]] int build_cuda_program(std::vector<std::string> arguments);

// The same for one source, and returns when it is built, with line numbers of the host's code too.
// Throws InputError where it does not compile.
void compile_cuda_program(const std::string& source, const std::string& program);

// The nvcc that the functions above would take. Throws as they do.
[[nodiscard]] std::filesystem::path find_nvcc();

// The ptxas beside the nvcc that the functions above would take; nothing where there is none.
[[nodiscard]] std::optional<std::string> find_ptxas();

}  // namespace tandem::program

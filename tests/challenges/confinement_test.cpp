// What a confined process cannot do, and what a submission cannot make the compiler do.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "course/compile.hpp"
#include "course/confine.hpp"
#include "course/grade.hpp"
#include "course/private_folder.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/software_gpu.hpp"

namespace tandem::course {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class Confined : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!available_confinement().files) GTEST_SKIP() << "needs Landlock";
  }

  ConfinedResult shell(const std::string& script, double seconds = 10) {
    ConfinedCommand command;
    command.words = {"/bin/sh", "-c", script};
    command.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
    command.folder = folder_.path();
    command.readable = system_folders();
    command.may_start_programs = true;
    command.seconds = seconds;
    command.wall_seconds = seconds;
    command.file_bytes = 1 << 20;
    return run_confined(command, nullptr);
  }

  PrivateFolder folder_;
};

TEST_F(Confined, RunsAndGivesStatusOutputAndMessages) {
  const ConfinedResult result = shell("echo out; echo said >&2; exit 7");
  EXPECT_EQ(result.status, 7);
  EXPECT_EQ(result.signal, 0);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.messages, "said\n");
}

TEST_F(Confined, ReadsNoFilesButTheSystems) {
  PrivateFolder other;
  std::ofstream(other.path() / "secret") << "the answer\n";
  const std::string secret = (other.path() / "secret").string();
  for (const std::string& path :
       {secret, std::string("/etc/passwd"), std::string("/proc/self/environ"),
        std::string("/proc/1/cmdline"),
        std::string("/proc/") + std::to_string(::getppid()) + "/maps", std::string("/dev/zero"),
        std::string("/sys/kernel/uevent_seqnum")}) {
    if (!fs::exists(path)) continue;
    const ConfinedResult result = shell("head -c 10 " + path);
    EXPECT_NE(result.status, 0) << path;
    EXPECT_EQ(result.output, "") << path;
  }
  // Not by a link either.
  const ConfinedResult link = shell("ln -s " + secret + " here; cat here");
  EXPECT_NE(link.status, 0);
  EXPECT_EQ(link.output, "");
}

TEST_F(Confined, WritesInItsFolderOnly) {
  PrivateFolder other;
  EXPECT_EQ(shell("echo x > mine && cat mine").output, "x\n");
  const std::string place = (other.path() / "theirs").string();
  EXPECT_NE(shell("echo x > " + place).status, 0);
  EXPECT_FALSE(fs::exists(place));
  EXPECT_NE(shell("mkfifo pipe && mknod dev c 1 3").status, 0);
  // What it wrote it cannot execute.
  EXPECT_NE(shell("printf '#!/bin/sh\\necho ran\\n' > x; chmod +x x; ./x").status, 0);
}

TEST_F(Confined, HasNoNetworkAndTracesNobody) {
  const ConfinedResult result = shell(
      "python3 -c 'import socket; socket.socket()' 2>/dev/null || perl -e "
      "'use Socket; socket(S, PF_INET, SOCK_STREAM, 0) or die'");
  EXPECT_NE(result.status, 0);
}

TEST_F(Confined, SeesNoSignalsWay) {
  // Kill by number: in a namespace of its own there is nobody of that number; without, seccomp
  // leaves kill, but the process is not of this session.
  if (!available_confinement().namespaces) GTEST_SKIP() << "needs namespaces";
  EXPECT_NE(shell("kill -0 " + std::to_string(::getpid())).status, 0);
}

TEST_F(Confined, EndsWithItsTime) {
  const ConfinedResult result = shell("sleep 60", 0.5);
  EXPECT_TRUE(result.late);
}

TEST_F(Confined, EndsWithItsProcessorTime) {
  ConfinedCommand command;
  command.words = {"/bin/sh", "-c", "while :; do :; done"};
  command.folder = folder_.path();
  command.readable = system_folders();
  command.seconds = 1;
  const ConfinedResult result = run_confined(command, nullptr);
  EXPECT_TRUE(result.late);
  EXPECT_EQ(result.signal, SIGXCPU);
}

TEST_F(Confined, LeavesNobodyBehind) {
  if (!available_confinement().namespaces) GTEST_SKIP() << "needs namespaces";
  const auto start = std::chrono::steady_clock::now();
  const ConfinedResult result = shell("(sleep 2; echo late > late) & exit 0", 10);
  EXPECT_EQ(result.status, 0);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  if (passed.count() > 1.9) GTEST_SKIP() << "the machine is too busy to tell";
  ::usleep(2'500'000);
  EXPECT_FALSE(fs::exists(folder_.path() / "late"));
}

TEST_F(Confined, WritesNoLargeFiles) {
  const ConfinedResult result = shell("head -c 5000000 /usr/bin/python3* /usr/bin/perl > large");
  EXPECT_LE(fs::file_size(folder_.path() / "large"), std::uintmax_t{1} << 20U);
  EXPECT_TRUE(result.status != 0 || result.signal != 0);
}

TEST_F(Confined, AStopEndsIt) {
  ConfinedCommand command;
  command.words = {"/bin/sleep", "60"};
  command.folder = folder_.path();
  command.readable = system_folders();
  EXPECT_THROW((void)run_confined(command, [] { return true; }), Interrupted);
}

TEST_F(Confined, AProgramThatIsNotThereIsAnError) {
  ConfinedCommand command;
  command.words = {"/bin/no-such-program"};
  command.folder = folder_.path();
  command.readable = system_folders();
  EXPECT_THROW((void)run_confined(command, nullptr), SystemError);
}

// --- the compiler --------------------------------------------------------------------------------

class Submissions : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::string(TANDEM_NVCC) == "" || !available_confinement().files) {
      GTEST_SKIP() << "needs nvcc 13 and Landlock";
    }
  }
  static Compiled compiled(const std::string& source) {
    Compiler compiler;
    compiler.nvcc = TANDEM_NVCC;
    return compile_kernels(compiler, source, "theirs.cu");
  }
};

constexpr const char* kernel = "\nextern \"C\" __global__ void k(int* x) { *x = 1; }\n";

TEST_F(Submissions, IncludeNoFilesOfThisMachine) {
  PrivateFolder other;
  std::ofstream(other.path() / "secret.h") << "#define ANSWER 42\n";
  for (const std::string& file : {(other.path() / "secret.h").string(), std::string("/etc/passwd"),
                                  std::string("../secret.h"), std::string("/proc/self/environ"),
                                  std::string("/proc/self/cmdline"), std::string("/dev/stdin"),
                                  std::string("/dev/zero"), std::string("/etc/hostname")}) {
    const Compiled result = compiled("#include \"" + file + "\"" + kernel);
    EXPECT_EQ(result.ptx, "") << file;
    EXPECT_NE(result.messages, "") << file;
    EXPECT_THAT(result.messages, Not(HasSubstr("root:"))) << file;
  }
}

// The compiler has to see its own programs; what is no header is refused by the list of files that
// were read, even where its text compiles.
TEST_F(Submissions, IncludeNoFilesOfTheSystemButHeaders) {
  std::string empty;
  for (const char* file :
       {"/usr/lib/python3.11/this.py", "/usr/share/common-licenses/BSD", "/usr/lib/os-release"}) {
    if (fs::exists(file)) empty = file;
  }
  if (empty.empty()) GTEST_SKIP() << "none of the files is there";
  // __has_include() reads nothing; an include in a branch that is not taken neither.
  EXPECT_NE(compiled("#if 0\n#include \"" + empty + "\"\n#endif" + kernel).ptx, "");
  EXPECT_EQ(compiled("#include \"" + empty + "\"" + kernel).ptx, "");
}

TEST_F(Submissions, TakeNothingInByAssembly) {
  for (const std::string& text :
       {std::string("asm(\".incbin \\\"/etc/passwd\\\"\");\n"),
        std::string("__asm__(\".section .init_array\\n.incbin \\\"/etc/passwd\\\"\");\n"),
        std::string("static void* p() { asm(\".incbin \\\"/etc/passwd\\\"\"); return 0; }\n")}) {
    const Compiled result = compiled(text + kernel);
    EXPECT_THAT(result.ptx, Not(HasSubstr("root:")));
    EXPECT_THAT(result.ptx, Not(HasSubstr("incbin")));
    EXPECT_THAT(result.messages, Not(HasSubstr("root:")));
  }
  const Compiled embedded =
      compiled("const char t[] = {\n#embed \"/etc/passwd\"\n};" + std::string(kernel));
  EXPECT_THAT(embedded.ptx, Not(HasSubstr("root:")));
  const Compiled in_kernel = compiled(
      "extern \"C\" __global__ void k(int* x) { asm volatile(\".incbin \\\"/etc/passwd\\\";\"); *x "
      "= 1; }");
  EXPECT_THAT(in_kernel.ptx, Not(HasSubstr("root:")));
}

TEST_F(Submissions, HostCodeNeverRuns) {
  PrivateFolder other;
  const std::string place = (other.path() / "was-here").string();
  const Compiled result = compiled(
      "#include <cstdio>\n#include <cstdlib>\n"
      "struct Early { Early() { std::FILE* f = std::fopen(\"" +
      place +
      "\", \"w\"); std::fclose(f); std::exit(0); } };\n"
      "static Early early;\n"
      "__attribute__((constructor)) void at_start() { std::abort(); }\n"
      "int main() { return 0; }\n" +
      kernel);
  ASSERT_NE(result.ptx, "") << result.messages;
  EXPECT_FALSE(fs::exists(place));
}

TEST_F(Submissions, LeaveNoLinkInPlaceOfThePtx) {
  // The names of the outputs are fixed, and what comes back is a plain file's content.
  PrivateFolder folder;
  fs::create_symlink("/etc/passwd", folder.path() / "kernels.ptx");
  EXPECT_EQ(folder.text_of("kernels.ptx", 1 << 20), "");
  fs::create_directory(folder.path() / "folder");
  EXPECT_EQ(folder.text_of("folder", 1 << 20), "");
  std::ofstream(folder.path() / "long") << std::string(100, 'x');
  EXPECT_EQ(folder.text_of("long", 99), "");
  EXPECT_EQ(folder.text_of("long", 100).size(), 100U);
}

// Kernels that want the machine's memory, fill their output, or go on for ever.
TEST_F(Submissions, WhatWantsTooMuchEndsAlone) {
  Compiler compiler;
  compiler.nvcc = TANDEM_NVCC;
  Machine machine;
  machine.software_gpu = software_gpu::folder();
  machine.seconds = 2;
  const Challenge& challenge = find_challenge("vector-add");
  const std::string kernel_head =
      "extern \"C\" __global__ void k(const float* x, const float* y, float* z, int n)";
  for (const std::string& source :
       {"__device__ char huge[1ull << 36];\n" + kernel_head + " { huge[n] = 1; z[0] = huge[n]; }",
        "#include <cstdio>\n" + kernel_head +
            " { for (;;) printf(\"%d and so on and so on and so on\\n\", n); }",
        kernel_head +
            " { for (int i = 0;; ++i) { volatile char* p = (char*)malloc(1 << 20); if (p) *p = 1; "
            "} }",
        "__device__ int deep(int n) { volatile int a[1000]; a[n % 1000] = n; return n < 0 ? 0 : "
        "deep(n + 1) + a[n % 1000]; }\n" +
            kernel_head + " { z[0] = deep(1); }",
        kernel_head + " { asm volatile(\"trap;\"); }"}) {
    const Grade grade = grade_source(challenge, "//@ launch k grid=1 block=1\n" + source, "a.cu", 5,
                                     compiler, machine);
    EXPECT_NE(grade.verdict, Verdict::passed) << source;
    EXPECT_NE(grade.verdict, Verdict::not_compiled) << grade.reason;
    EXPECT_NE(grade.reason, "") << source;
  }
}

TEST_F(Submissions, MayUseTheToolkitsHeaders) {
  const Compiled result =
      compiled("#include <cooperative_groups.h>\n#include <cuda_fp16.h>\n#include <cub/cub.cuh>\n" +
               std::string(kernel));
  EXPECT_NE(result.ptx, "") << result.messages;
}

TEST_F(Submissions, ErrorsNameTheSubmissionsFile) {
  const Compiled result = compiled("extern \"C\" __global__ void k(int* x) { *x = ; }\n");
  EXPECT_EQ(result.ptx, "");
  EXPECT_THAT(result.messages, HasSubstr("theirs.cu(1)"));
  EXPECT_THAT(result.messages, Not(HasSubstr("/tmp/")));
}

TEST_F(Submissions, AreGradedFromTheirSource) {
  Compiler compiler;
  compiler.nvcc = TANDEM_NVCC;
  Machine machine;
  machine.software_gpu = software_gpu::folder();
  const Challenge& challenge = find_challenge("vector-add");
  const auto grade = [&](const std::string& source) {
    return grade_source(challenge, source, "a.cu", 5, compiler, machine);
  };
  const Grade right = grade(
      "//@ launch add grid=ceil(n/128) block=128\n"
      "extern \"C\" __global__ void add(const float* x, const float* y, float* z, int n) {\n"
      "  const int i = blockIdx.x * 128 + threadIdx.x;\n  if (i < n) z[i] = x[i] + y[i];\n}\n");
  EXPECT_EQ(right.verdict, Verdict::passed) << right.reason;
  EXPECT_EQ(right.seed, 5U);
  EXPECT_EQ(grade(challenge.starter).verdict, Verdict::wrong);
  EXPECT_EQ(grade("__global__ void k() {}").verdict, Verdict::not_launched);
  EXPECT_EQ(grade("//@ launch k grid=m block=1\n" + std::string(kernel)).verdict,
            Verdict::not_launched);
  EXPECT_EQ(grade("//@ launch other grid=1 block=1\n" + std::string(kernel)).verdict,
            Verdict::not_launched);
  EXPECT_EQ(grade("//@ launch k grid=1 block=1\nint x = ;\n").verdict, Verdict::not_compiled);
}

}  // namespace
}  // namespace tandem::course

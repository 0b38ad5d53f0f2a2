// tandem gpu run, and the models that tandem devices lists. What runs on the software GPU is tested
// in tests/softgpu.
#include <elf.h>
#include <gmock/gmock.h>

#include <cstring>
#include <string>
#include <vector>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;

class GpuRun : public Program {};

TEST_F(GpuRun, SetsTheProgramsEnvironmentUpAndBecomesIt) {
  const Outcome outcome =
      run({"gpu", "run", "--model", "h100", "--devices", "3", "--", "/bin/sh", "-c",
           "echo $SOFTGPU_MODEL; echo $SOFTGPU_DEVICES; echo ${LD_LIBRARY_PATH%%:*}; exit 7"});
  EXPECT_EQ(outcome.status, 7) << outcome.err;
  EXPECT_THAT(outcome.out, ::testing::StartsWith("h100\n3\n/"));
  const std::string folder = outcome.out.substr(7, outcome.out.size() - 8);
  EXPECT_TRUE(std::filesystem::exists(folder + "/libcudart.so.13")) << folder;
}

TEST_F(GpuRun, WhatIsNotAskedForStaysAsItWas) {
  ::setenv("SOFTGPU_MODEL", "rtx4090", 1);
  const Outcome outcome = run({"gpu", "run", "--", "/bin/sh", "-c", "echo $SOFTGPU_MODEL"});
  ::unsetenv("SOFTGPU_MODEL");
  EXPECT_EQ(outcome.out, "rtx4090\n") << outcome.err;
}

TEST_F(GpuRun, TheProgramsOwnOptionsAreNotOurs) {
  const Outcome outcome = run({"gpu", "run", "--", "/bin/echo", "--model", "--help", "--"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "--model --help --\n");
}

TEST_F(GpuRun, ProgramsAreRunWithoutTwoDashesToo) {
  Outcome outcome = run({"gpu", "run", "--devices", "3", "/bin/sh", "-c", "echo $SOFTGPU_DEVICES"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "3\n");
  // Arguments after the program are the program's, though they look like options of ours.
  outcome = run({"gpu", "run", "/bin/echo", "--devices", "3", "--", "--model=x"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "--devices 3 -- --model=x\n");
  // Who meant them for tandem is told where they go; who wrote the dashes knows it.
  EXPECT_THAT(outcome.err, HasSubstr("--devices goes to /bin/echo"));
  outcome = run({"gpu", "run", "--", "/bin/echo", "--devices", "3"});
  EXPECT_EQ(outcome.err, "");
  outcome = run({"gpu", "run", "/bin/echo", "--other", "devices"});
  EXPECT_EQ(outcome.err, "");
  outcome = run({"gpu", "run", "--divices", "3", "/bin/true"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean --devices?"));
}

TEST_F(GpuRun, BuildBecomesNvccWithWhatTheSoftwareGpuNeeds) {
  const std::string nvcc = path("nvcc");
  write_text(nvcc,
             "#!/bin/sh\nif [ \"$1\" = --version ]; then echo release 13.0; exit; fi\n"
             "echo \"$@\"\nexit 4\n");
  std::filesystem::permissions(nvcc, std::filesystem::perms::owner_all);
  ::setenv("TANDEM_NVCC", nvcc.c_str(), 1);
  Outcome outcome = run({"gpu", "build", "a.cu", "-o", "a", "--model"});
  EXPECT_EQ(outcome.status, 4) << outcome.err;
  EXPECT_EQ(outcome.out, "-cudart shared -arch=compute_80 -lineinfo a.cu -o a --model\n");
  outcome = run({"gpu", "build", "-O3", "-G", "-gencode", "arch=compute_90,code=compute_90",
                 "--cudart=shared", "a.cu"});
  EXPECT_EQ(outcome.out, "-O3 -G -gencode arch=compute_90,code=compute_90 --cudart=shared a.cu\n");
  outcome = run({"gpu", "build"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("expected a source"));
  ::setenv("TANDEM_NVCC", "/bin/true", 1);
  outcome = run({"gpu", "build", "a.cu"});
  ::unsetenv("TANDEM_NVCC");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("no nvcc of CUDA 13"));
}

TEST_F(GpuRun, ACompilerThatIsInterruptedSaysNothingAboutTheSource) {
  const std::string nvcc = path("nvcc");
  const std::string source = path("right.cu");
  write_text(source, "int main() { return 0; }\n");
  const auto compiled_by = [&](const std::string& what) {
    write_text(nvcc, "#!/bin/sh\nif [ \"$1\" = --version ]; then echo release 13.0; exit; fi\n" +
                         what + "\n");
    std::filesystem::permissions(nvcc, std::filesystem::perms::owner_all);
    ::setenv("TANDEM_NVCC", nvcc.c_str(), 1);
    const Outcome outcome = run({"gpu", "check", source});
    ::unsetenv("TANDEM_NVCC");
    return outcome;
  };
  // As Ctrl-C does, which goes to both.
  const Outcome stopped = compiled_by("kill -INT $PPID; exit 1");
  EXPECT_EQ(stopped.status, 130) << stopped.err;
  EXPECT_THAT(stopped.err, ::testing::Not(HasSubstr("does not compile")));
  const Outcome killed = compiled_by("kill -KILL $$");
  EXPECT_EQ(killed.status, 1) << killed.err;
  EXPECT_THAT(killed.err, HasSubstr("was ended by signal 9"));
  const Outcome wrong = compiled_by("exit 1");
  EXPECT_EQ(wrong.status, 2) << wrong.err;
  EXPECT_THAT(wrong.err, HasSubstr("does not compile"));
}

TEST_F(GpuRun, WrongUsageSaysWhatIsExpected) {
  Outcome outcome = run({"gpu", "run"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("expected a program"));
  outcome = run({"gpu", "walk", "--", "/bin/true"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("unknown action 'walk'"));
  outcome = run({"gpu", "run", "--model", "b100", "--", "/bin/true"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("rtx4090"));
  outcome = run({"gpu", "run", "--", path("missing")});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("missing"));
  outcome = run({"gpu", "run", "--", "no-such-program-anywhere"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("PATH"));
}

TEST_F(GpuRun, ARuntimeInsideTheProgramIsSeenBeforeItRuns) {
  const std::string program = path("inside");
  write_text(program, std::string("\x7f"
                                  "ELF and then .nv_fatbin"));
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  Outcome outcome = run({"gpu", "run", "--", program});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("-cudart shared"));
  write_text(program, std::string("\x7f"
                                  "ELF .nv_fatbin libcudart.so.12"));
  outcome = run({"gpu", "run", "--", program});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("nvcc 13"));
}

// An ELF file that needs these libraries, and holds `text`.
std::string elf_that_needs(const std::vector<std::string>& libraries, const std::string& text) {
  std::string strings(1, '\0');
  std::vector<Elf64_Dyn> entries;
  constexpr std::uint64_t address = 0x1000;
  Elf64_Ehdr head{};
  std::memcpy(head.e_ident, ELFMAG, SELFMAG);
  head.e_ident[EI_CLASS] = ELFCLASS64;
  head.e_phoff = sizeof head;
  head.e_phnum = 2;
  const std::uint64_t begin = sizeof head + 2 * sizeof(Elf64_Phdr);
  for (const std::string& library : libraries) {
    Elf64_Dyn entry{};
    entry.d_tag = DT_NEEDED;
    entry.d_un.d_val = strings.size();
    entries.push_back(entry);
    strings += library + '\0';
  }
  Elf64_Dyn table{};
  table.d_tag = DT_STRTAB;
  table.d_un.d_ptr = address;
  entries.push_back(table);
  entries.emplace_back();
  Elf64_Phdr load{};
  load.p_type = PT_LOAD;
  load.p_offset = begin;
  load.p_vaddr = address;
  load.p_filesz = strings.size();
  Elf64_Phdr dynamic{};
  dynamic.p_type = PT_DYNAMIC;
  dynamic.p_offset = begin + strings.size();
  dynamic.p_filesz = entries.size() * sizeof entries[0];
  const auto bytes = [](const auto& value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
  };
  std::string all = bytes(head) + bytes(load) + bytes(dynamic) + strings;
  for (const Elf64_Dyn& entry : entries) all += bytes(entry);
  return all + text;
}

TEST_F(GpuRun, WhatTheSoftwareGpuHasNotGotIsSaidBeforeTheProgramRuns) {
  const std::string program = path("needs");
  const auto said = [&](const std::vector<std::string>& libraries, const std::string& text) {
    write_text(program, elf_that_needs(libraries, text));
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    return run({"gpu", "run", "--", program});
  };
  Outcome outcome = said({"libcuda.so.1", "libc.so.6"}, ".nv_fatbin");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("the CUDA driver API"));
  EXPECT_THAT(outcome.err, ::testing::Not(HasSubstr("-cudart shared")));
  for (const std::string library :
       {"libcufft.so.12", "libcusparse.so.12", "libcurand.so.10", "libcusolver.so.12"}) {
    // That it cannot be executed at all comes after what is said.
    outcome = said({"libcudart.so.13", library}, ".nv_fatbin");
    EXPECT_THAT(outcome.err, HasSubstr("which the software GPU does not have")) << library;
  }
  outcome = said({"libcudart.so.13", "libc.so.6"}, ".nv_fatbin cufftPlan1d");
  EXPECT_THAT(outcome.err, HasSubstr("cuFFT"));
  outcome = said({"libcudart.so.13", "libc.so.6"}, ".nv_fatbin");
  EXPECT_THAT(outcome.err, ::testing::Not(HasSubstr("does not have")));
}

TEST_F(GpuRun, TheProgramIsToldHowToEndAfterAFault) {
  Outcome outcome =
      run({"gpu", "run", "--threads", "0", "--poison", "--stop-at-fault", "--", "/bin/sh", "-c",
           "echo $SOFTGPU_FAULT_STATUS $SOFTGPU_THREADS $SOFTGPU_POISON "
           "$SOFTGPU_STOP_AT_FAULT"});
  EXPECT_EQ(outcome.out, "86 0 1 1\n") << outcome.err;
  ::setenv("SOFTGPU_FAULT_STATUS", "0", 1);
  outcome = run({"gpu", "run", "--", "/bin/sh", "-c", "echo $SOFTGPU_FAULT_STATUS"});
  ::unsetenv("SOFTGPU_FAULT_STATUS");
  EXPECT_EQ(outcome.out, "0\n");
}

TEST_F(GpuRun, CheckTellsTheProgramWhatToLookForAndReturnsItsStatus) {
  Outcome outcome =
      run({"gpu", "check", "--only", "race,leak", "--findings", path("found.json"), "--", "/bin/sh",
           "-c", "echo $SOFTGPU_CHECK $SOFTGPU_CHECK_ONLY $SOFTGPU_CHECK_JSON; exit 7"});
  EXPECT_EQ(outcome.status, 7);
  EXPECT_EQ(outcome.out, "1 race,leak " + path("found.json") + "\n") << outcome.err;
  outcome = run({"gpu", "check", "--", "/bin/sh", "-c", "kill -TERM $$"});
  EXPECT_EQ(outcome.status, 128 + 15);
}

TEST_F(GpuRun, CheckTellsWhichLaunchesAreMeant) {
  const Outcome outcome =
      run({"gpu", "check", "--kernel", "sum*,scan", "--launch", "3", "--", "/bin/sh", "-c",
           "echo $SOFTGPU_CHECK_KERNEL $SOFTGPU_CHECK_LAUNCH"});
  EXPECT_EQ(outcome.out, "sum*,scan 3\n") << outcome.err;
}

TEST_F(GpuRun, SchedulesGiveEachRunASeedAndShowTheFirst) {
  const Outcome outcome =
      run({"gpu", "check", "--schedules", "3", "--schedule-seed", "7", "--", "/bin/sh", "-c",
           "echo $SOFTGPU_SEED >>" + path("seeds") + "; echo same"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "same\n");
  EXPECT_EQ(read_text(path("seeds")), "7\n8\n9\n");
  EXPECT_THAT(outcome.err, HasSubstr("0 findings, 0 notices in 3 orders of threads, seeds 7 to 9"));
}

TEST_F(GpuRun, OutputThatDependsOnTheScheduleIsANotice) {
  const auto check = [&](const std::string& script) {
    const Outcome outcome =
        run({"gpu", "check", "--force", "--schedules", "4", "--findings", path("found.json"),
             "--sarif", path("found.sarif"), "--", "/bin/sh", "-c", script});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return nlohmann::json::parse(read_text(path("found.json")));
  };
  nlohmann::json found = check("echo sum; echo $((SOFTGPU_SEED / 2))");
  EXPECT_EQ(found["schedules"], 4);
  EXPECT_EQ(found["errors"], 0);
  ASSERT_EQ(found["findings"].size(), 1U);
  EXPECT_EQ(found["findings"][0]["kind"], "schedule-dependent");
  EXPECT_EQ(found["findings"][0]["severity"], "notice");
  EXPECT_EQ(found["findings"][0]["seed"], 2);
  EXPECT_EQ(found["findings"][0]["message"],
            "the program prints '1' in one order of threads and '0' in another");
  EXPECT_THAT(read_text(path("found.sarif")), HasSubstr("schedule-dependent"));
  found = check("echo 1.000000 $((SOFTGPU_SEED > 0 ? 3 : 3)).00000$SOFTGPU_SEED");
  ASSERT_EQ(found["findings"].size(), 1U);
  EXPECT_THAT(found["findings"][0]["message"].get<std::string>(), HasSubstr("by rounding alone"));
  // Another order of lines, and what differs under one seed already.
  found = check("[ $SOFTGPU_SEED = 2 ] && echo a; echo b; [ $SOFTGPU_SEED = 2 ] || echo a");
  EXPECT_EQ(found["findings"].size(), 0U) << found;
  found = check("echo took $$ ms; echo done");
  EXPECT_EQ(found["findings"].size(), 0U) << found;
}

TEST_F(GpuRun, TheStatusOfSchedulesIsThatOfTheFirstThatFails) {
  const Outcome outcome = run({"gpu", "check", "--schedules", "3", "--findings", path("found.json"),
                               "--", "/bin/sh", "-c", "exit $SOFTGPU_SEED"});
  EXPECT_EQ(outcome.status, 1);
  const auto found = nlohmann::json::parse(read_text(path("found.json")));
  ASSERT_EQ(found["findings"].size(), 1U);
  EXPECT_THAT(found["findings"][0]["message"].get<std::string>(),
              HasSubstr("ends with status 1 in one order of threads and with 0 in another"));
}

TEST_F(GpuRun, WhatIsForTheCheckerIsRefusedElsewhere) {
  Outcome outcome = run({"gpu", "run", "--findings", path("found.json"), "--", "/bin/true"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--findings is for tandem gpu check"));
  outcome = run({"gpu", "check", "--count", "--", "/bin/true"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("checked or counted"));
  outcome = run({"gpu", "check", path("missing.cu")});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("no such file"));
  // A file that is not one of findings is not replaced unasked.
  write_text(path("notes.json"), "mine\n");
  outcome = run({"gpu", "check", "--findings", path("notes.json"), "--", "/bin/true"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(read_text(path("notes.json")), "mine\n");
}

TEST_F(GpuRun, DevicesListsTheModelsAsSoftware) {
  const auto json = result({"devices"});
  ASSERT_EQ(json["software_gpus"].size(), 5U);
  for (const auto& model : json["software_gpus"]) EXPECT_EQ(model["software"], true);
  EXPECT_EQ(json["software_gpus"][0]["model"], "a100");
  EXPECT_EQ(json["software_gpus"][0]["compute_capability"], "8.0");
}

}  // namespace
}  // namespace tandem::test

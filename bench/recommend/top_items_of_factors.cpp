// The best items of all users by factors in files, timed:
//
//   tandem_top_items_of_factors USERS.f32 ITEMS.f32 FACTORS N THREADS REPEATS OUT.i32
//
// The files hold rows of FACTORS floats of 32 bits. Writes the items' numbers, users × N, and
// prints seconds and processor seconds of each repeat as JSON.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/recommend/top_items_steps.hpp"
#include "core/steps.hpp"

namespace {

using tandem::Index;

std::vector<float> read_rows(const char* path, Index factors) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)),
                                std::istreambuf_iterator<char>());
  const auto* const values = reinterpret_cast<const float*>(bytes.data());
  const Index rows = static_cast<Index>(bytes.size() / sizeof(float)) / factors;
  const Index pitch = tandem::als_pitch(factors);
  std::vector<float> made(static_cast<std::size_t>(rows * pitch), 0.0F);
  for (Index i = 0; i < rows; ++i) {
    std::copy_n(values + i * factors, factors, made.begin() + i * pitch);
  }
  return made;
}

double processor() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    std::fputs("expected USERS.f32 ITEMS.f32 FACTORS N THREADS REPEATS OUT.i32\n", stderr);
    return 2;
  }
  const Index factors = std::atoll(argv[3]);
  const Index n = std::atoll(argv[4]);
  tandem::EngineOptions options;
  options.threads = std::atoi(argv[5]);
  const auto engine = tandem::Engine::create(options);
  const auto users = tandem::to_engine(*engine, read_rows(argv[1], factors));
  const auto items = tandem::to_engine(*engine, read_rows(argv[2], factors));
  const Index pitch = tandem::als_pitch(factors);
  tandem::TopItemsProblem<float> problem;
  problem.users = users.size() / pitch;
  problem.items = items.size() / pitch;
  problem.factors = factors;
  problem.user_factors = users.data();
  problem.item_factors = items.data();
  tandem::Buffer<std::int32_t> best(*engine, problem.users * n);
  tandem::Buffer<float> scores(*engine, problem.users * n);
  const auto steps = tandem::make_steps<tandem::TopItemsSteps, float>(*engine);
  std::string text;
  for (int repeat = 0; repeat < std::atoi(argv[6]); ++repeat) {
    const double before = processor();
    const auto start = std::chrono::steady_clock::now();
    steps->top(problem, n, best, scores);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    text += (text.empty() ? "" : ", ") +
            ("[" + std::to_string(seconds) + ", " + std::to_string(processor() - before) + "]");
  }
  std::ofstream(argv[7], std::ios::binary)
      .write(reinterpret_cast<const char*>(best.data()),
             static_cast<std::streamsize>(best.bytes()));
  std::printf("{\"seconds\": [%s]}\n", text.c_str());
  return 0;
}

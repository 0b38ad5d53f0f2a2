#include <gtest/gtest.h>

#include "support/agreement.hpp"
#include "support/cuda.hpp"
#include "tandem/data/generate.hpp"

namespace tandem {
namespace {

template <class T>
void expect_the_hosts_set() {
  for (const int threads : {64, 256}) {
    const auto engine = test::cuda_engine({.block_threads = threads});
    for (const auto kind : generator_names()) {
      for (const Index rows : {1, 33, 1000}) {
        GenerateOptions options;
        options.rows = rows;
        options.features = 7;
        options.seed = 5;
        if (kind == "xor") options.noise = 0.1;
        const Dataset<T> host = generate<T>(kind, options);
        const auto there = generate_on_engine<T>(*engine, kind, options);
        EXPECT_TRUE(test::same_bits(host.features.values(), there.x.to_host())) << kind;
        EXPECT_TRUE(test::same_bits(host.target, there.target.to_host())) << kind;
      }
    }
  }
}

TEST(GenerateCuda, GivesTheHostsSetInFloat) { expect_the_hosts_set<float>(); }
TEST(GenerateCuda, GivesTheHostsSetInDouble) { expect_the_hosts_set<double>(); }

}  // namespace
}  // namespace tandem

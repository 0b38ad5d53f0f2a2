// Thrust's device algorithms whose result does not depend on the order of their operations, and
// sums of floating-point numbers, on at least 64 tiles.
#include <thrust/adjacent_difference.h>
#include <thrust/binary_search.h>
#include <thrust/copy.h>
#include <thrust/count.h>
#include <thrust/device_vector.h>
#include <thrust/equal.h>
#include <thrust/extrema.h>
#include <thrust/find.h>
#include <thrust/gather.h>
#include <thrust/inner_product.h>
#include <thrust/logical.h>
#include <thrust/merge.h>
#include <thrust/mismatch.h>
#include <thrust/partition.h>
#include <thrust/reduce.h>
#include <thrust/remove.h>
#include <thrust/replace.h>
#include <thrust/reverse.h>
#include <thrust/scan.h>
#include <thrust/scatter.h>
#include <thrust/sequence.h>
#include <thrust/set_operations.h>
#include <thrust/sort.h>
#include <thrust/swap.h>
#include <thrust/tabulate.h>
#include <thrust/transform.h>
#include <thrust/transform_reduce.h>
#include <thrust/transform_scan.h>
#include <thrust/unique.h>

#include <algorithm>
#include <numeric>

#include "repeats.cuh"

namespace {

using Ints = std::vector<int>;
using Longs = std::vector<long long>;
using DeviceInts = thrust::device_vector<int>;
using DeviceLongs = thrust::device_vector<long long>;

constexpr std::size_t words = 64 * 256 * 24;
constexpr std::size_t longs = 64 * 256 * 14;
// The tiles of radix sorts are larger: up to 512 threads with 23 keys of 4 bytes each.
constexpr std::size_t radix_words = 64 * 512 * 23;

struct Third {
  __host__ __device__ bool operator()(long long x) const { return x % 3 == 0; }
};
struct Square {
  __host__ __device__ long long operator()(long long x) const { return x * x; }
};

unsigned long long mix(unsigned long long x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}
template <class T>
std::vector<T> values(std::size_t n, unsigned long long below, unsigned long long salt = 1) {
  std::vector<T> all(n);
  for (std::size_t i = 0; i < n; ++i) all[i] = static_cast<T>(mix(i * 31 + salt) % below);
  return all;
}
template <class T>
std::vector<T> sorted(std::size_t n, unsigned long long below, unsigned long long salt) {
  auto all = values<T>(n, below, salt);
  std::sort(all.begin(), all.end());
  return all;
}
template <class T>
std::vector<T> runs_of(std::size_t n) {
  std::vector<T> all(n);
  unsigned long long key = 0;
  for (std::size_t i = 0; i < n; ++key) {
    for (std::size_t k = 0; k < 1 + mix(key) % 8 && i < n; ++k) all[i++] = static_cast<T>(key);
  }
  return all;
}
template <class T>
std::vector<T> host(const thrust::device_vector<T>& from) {
  std::vector<T> to(from.size());
  thrust::copy(from.begin(), from.end(), to.begin());
  return to;
}

// A case whose data are vectors on the device: `expected` by the host, `work` on a fresh copy.
template <class T, class Work>
Case case_of(const std::vector<T>& in, const Bytes& expected, Work work) {
  const thrust::device_vector<T> device = in;
  return {expected, [=] { return work(device); }};
}

// An algorithm of one vector in place, or to another, with its counterpart on the host.
template <class T, class Device, class Host>
Named in_place(const char* name, std::size_t n, unsigned long long below, Device on_device,
               Host on_host) {
  return {name, n, [=] {
            auto in = below == 0 ? runs_of<T>(n) : values<T>(n, below);
            auto expected = in;
            on_host(expected);
            return case_of(in, bytes_of(expected), [=](thrust::device_vector<T> v) {
              on_device(v);
              return bytes_of(host(v));
            });
          }};
}
// An algorithm that gives one number.
template <class T, class Device, class Host>
Named number(const char* name, std::size_t n, unsigned long long below, Device on_device,
             Host on_host) {
  return {name, n, [=] {
            const auto in = values<T>(n, below);
            const Longs expected{static_cast<long long>(on_host(in))};
            return case_of(in, bytes_of(expected), [=](const thrust::device_vector<T>& v) {
              return bytes_of(Longs{static_cast<long long>(on_device(v))});
            });
          }};
}
// An algorithm of two sorted vectors.
template <class Device, class Host>
Named of_two(const char* name, std::size_t n, Device on_device, Host on_host) {
  return {name, n, [=] {
            const auto a = sorted<long long>(n / 2, n, 3);
            const auto b = sorted<long long>(n - n / 2, n, 4);
            Longs expected(n);
            expected.erase(on_host(a, b, expected.begin()), expected.end());
            const DeviceLongs x = a;
            const DeviceLongs y = b;
            return Case{bytes_of(expected), [=] {
                          DeviceLongs to(n, -1);
                          to.erase(on_device(x, y, to.begin()), to.end());
                          return bytes_of(host(to));
                        }};
          }};
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<Named> cases = {
      in_place<int>(
          "sort, 4 bytes", radix_words, 1 << 30,
          [](DeviceInts& v) { thrust::sort(v.begin(), v.end()); },
          [](Ints& v) { std::sort(v.begin(), v.end()); }),
      in_place<long long>(
          "stable_sort, 8 bytes, greater", longs, 100000,
          [](DeviceLongs& v) {
            thrust::stable_sort(v.begin(), v.end(), thrust::greater<long long>());
          },
          [](Longs& v) { std::stable_sort(v.begin(), v.end(), std::greater<>()); }),
      in_place<long long>(
          "inclusive_scan", longs, 1000,
          [](DeviceLongs& v) { thrust::inclusive_scan(v.begin(), v.end(), v.begin()); },
          [](Longs& v) { std::partial_sum(v.begin(), v.end(), v.begin()); }),
      in_place<int>(
          "exclusive_scan", words, 1000,
          [](DeviceInts& v) { thrust::exclusive_scan(v.begin(), v.end(), v.begin()); },
          [](Ints& v) { std::exclusive_scan(v.begin(), v.end(), v.begin(), 0); }),
      in_place<long long>(
          "transform_inclusive_scan", longs, 1000,
          [](DeviceLongs& v) {
            thrust::transform_inclusive_scan(v.begin(), v.end(), v.begin(), Square(),
                                             thrust::plus<long long>());
          },
          [](Longs& v) {
            std::transform_inclusive_scan(v.begin(), v.end(), v.begin(), std::plus<>(), Square());
          }),
      in_place<long long>(
          "unique", longs, 0,
          [](DeviceLongs& v) { v.erase(thrust::unique(v.begin(), v.end()), v.end()); },
          [](Longs& v) { v.erase(std::unique(v.begin(), v.end()), v.end()); }),
      in_place<int>(
          "remove_if", words, 1000000,
          [](DeviceInts& v) { v.erase(thrust::remove_if(v.begin(), v.end(), Third()), v.end()); },
          [](Ints& v) { v.erase(std::remove_if(v.begin(), v.end(), Third()), v.end()); }),
      in_place<int>(
          "stable_partition", words, 1000000,
          [](DeviceInts& v) { thrust::stable_partition(v.begin(), v.end(), Third()); },
          [](Ints& v) { std::stable_partition(v.begin(), v.end(), Third()); }),
      in_place<int>(
          "replace_if", words, 1000000,
          [](DeviceInts& v) { thrust::replace_if(v.begin(), v.end(), Third(), 7); },
          [](Ints& v) { std::replace_if(v.begin(), v.end(), Third(), 7); }),
      in_place<int>(
          "reverse", words, 1000000, [](DeviceInts& v) { thrust::reverse(v.begin(), v.end()); },
          [](Ints& v) { std::reverse(v.begin(), v.end()); }),
      in_place<long long>(
          "transform", longs, 1000000,
          [](DeviceLongs& v) { thrust::transform(v.begin(), v.end(), v.begin(), Square()); },
          [](Longs& v) { std::transform(v.begin(), v.end(), v.begin(), Square()); }),
      in_place<int>(
          "sequence", words, 10, [](DeviceInts& v) { thrust::sequence(v.begin(), v.end(), 5); },
          [](Ints& v) { std::iota(v.begin(), v.end(), 5); }),
      in_place<long long>(
          "tabulate", longs, 10,
          [](DeviceLongs& v) { thrust::tabulate(v.begin(), v.end(), Square()); },
          [](Longs& v) {
            for (std::size_t i = 0; i < v.size(); ++i) v[i] = Square()(static_cast<long long>(i));
          }),
      in_place<long long>(
          "adjacent_difference", longs, 1000000,
          [](DeviceLongs& v) {
            DeviceLongs to(v.size());
            thrust::adjacent_difference(v.begin(), v.end(), to.begin());
            v.swap(to);
          },
          [](Longs& v) { std::adjacent_difference(v.begin(), v.end(), v.begin()); }),
      in_place<int>(
          "copy_if", words, 1000000,
          [](DeviceInts& v) {
            DeviceInts to(v.size());
            to.erase(thrust::copy_if(v.begin(), v.end(), to.begin(), Third()), to.end());
            v.swap(to);
          },
          [](Ints& v) {
            Ints to;
            std::copy_if(v.begin(), v.end(), std::back_inserter(to), Third());
            v.swap(to);
          }),
      number<long long>(
          "reduce", longs, 1000000,
          [](const DeviceLongs& v) { return thrust::reduce(v.begin(), v.end()); },
          [](const Longs& v) { return std::accumulate(v.begin(), v.end(), 0LL); }),
      number<int>(
          "transform_reduce", words, 1000,
          [](const DeviceInts& v) {
            return thrust::transform_reduce(v.begin(), v.end(), Square(), 0LL,
                                            thrust::plus<long long>());
          },
          [](const Ints& v) {
            return std::transform_reduce(v.begin(), v.end(), 0LL, std::plus<>(), Square());
          }),
      number<int>(
          "count_if", words, 1000,
          [](const DeviceInts& v) { return thrust::count_if(v.begin(), v.end(), Third()); },
          [](const Ints& v) { return std::count_if(v.begin(), v.end(), Third()); }),
      number<int>(
          "max_element", words, 1 << 30,
          [](const DeviceInts& v) { return thrust::max_element(v.begin(), v.end()) - v.begin(); },
          [](const Ints& v) { return std::max_element(v.begin(), v.end()) - v.begin(); }),
      number<int>(
          "minmax_element", words, 1 << 30,
          [](const DeviceInts& v) {
            const auto p = thrust::minmax_element(v.begin(), v.end());
            return (p.first - v.begin()) * 1000003LL + (p.second - v.begin());
          },
          [](const Ints& v) {
            return (std::min_element(v.begin(), v.end()) - v.begin()) * 1000003LL +
                   (std::max_element(v.begin(), v.end()) - v.begin());
          }),
      number<long long>(
          "inner_product", longs, 1000,
          [](const DeviceLongs& v) {
            return thrust::inner_product(v.begin(), v.end(), v.begin(), 0LL);
          },
          [](const Longs& v) { return std::inner_product(v.begin(), v.end(), v.begin(), 0LL); }),
      number<int>(
          "find", words, 1 << 30,
          [](const DeviceInts& v) { return thrust::find(v.begin(), v.end(), -1) - v.begin(); },
          [](const Ints& v) { return std::find(v.begin(), v.end(), -1) - v.begin(); }),
      number<int>(
          "none_of", words, 1 << 30,
          [](const DeviceInts& v) {
            return thrust::none_of(v.begin(), v.end(), thrust::negate<int>());
          },
          [](const Ints& v) {
            return std::none_of(v.begin(), v.end(), [](int x) { return x != 0; });
          }),
      of_two(
          "merge", longs,
          [](const DeviceLongs& a, const DeviceLongs& b, auto to) {
            return thrust::merge(a.begin(), a.end(), b.begin(), b.end(), to);
          },
          [](const Longs& a, const Longs& b, auto to) {
            return std::merge(a.begin(), a.end(), b.begin(), b.end(), to);
          }),
      of_two(
          "set_union", longs,
          [](const DeviceLongs& a, const DeviceLongs& b, auto to) {
            return thrust::set_union(a.begin(), a.end(), b.begin(), b.end(), to);
          },
          [](const Longs& a, const Longs& b, auto to) {
            return std::set_union(a.begin(), a.end(), b.begin(), b.end(), to);
          }),
      of_two(
          "set_intersection", longs,
          [](const DeviceLongs& a, const DeviceLongs& b, auto to) {
            return thrust::set_intersection(a.begin(), a.end(), b.begin(), b.end(), to);
          },
          [](const Longs& a, const Longs& b, auto to) {
            return std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), to);
          }),
      of_two(
          "set_difference", longs,
          [](const DeviceLongs& a, const DeviceLongs& b, auto to) {
            return thrust::set_difference(a.begin(), a.end(), b.begin(), b.end(), to);
          },
          [](const Longs& a, const Longs& b, auto to) {
            return std::set_difference(a.begin(), a.end(), b.begin(), b.end(), to);
          }),
      of_two(
          "set_symmetric_difference", longs,
          [](const DeviceLongs& a, const DeviceLongs& b, auto to) {
            return thrust::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(), to);
          },
          [](const Longs& a, const Longs& b, auto to) {
            return std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(), to);
          }),
      of_two(
          "lower_bound", longs,
          [](const DeviceLongs& a, const DeviceLongs& b, auto to) {
            return thrust::lower_bound(a.begin(), a.end(), b.begin(), b.end(), to);
          },
          [](const Longs& a, const Longs& b, auto to) {
            return std::transform(b.begin(), b.end(), to, [&](long long x) {
              return std::lower_bound(a.begin(), a.end(), x) - a.begin();
            });
          }),
      {"stable_sort_by_key", radix_words,
       [] {
         const auto keys = values<int>(radix_words, 1 << 20);
         Ints order(radix_words);
         std::iota(order.begin(), order.end(), 0);
         const DeviceInts with = order;
         std::stable_sort(order.begin(), order.end(),
                          [&](int i, int j) { return keys[i] < keys[j]; });
         return case_of(keys, bytes_of(order), [=](DeviceInts k) {
           DeviceInts v = with;
           thrust::stable_sort_by_key(k.begin(), k.end(), v.begin());
           return bytes_of(host(v));
         });
       }},
      {"reduce_by_key", longs,
       [] {
         const auto keys = runs_of<long long>(longs);
         const auto in = values<long long>(longs, 1000);
         Longs expected_keys, sums;
         for (std::size_t i = 0; i < longs; ++i) {
           if (i == 0 || keys[i] != keys[i - 1]) {
             expected_keys.push_back(keys[i]);
             sums.push_back(0);
           }
           sums.back() += in[i];
         }
         const DeviceLongs of = in;
         return case_of(keys, bytes_of(expected_keys, sums), [=](const DeviceLongs& k) {
           DeviceLongs to_keys(longs), to(longs);
           const auto end =
               thrust::reduce_by_key(k.begin(), k.end(), of.begin(), to_keys.begin(), to.begin());
           to_keys.erase(end.first, to_keys.end());
           to.erase(end.second, to.end());
           return bytes_of(host(to_keys), host(to));
         });
       }},
      {"inclusive_scan_by_key", longs,
       [] {
         const auto keys = runs_of<long long>(longs);
         const auto in = values<long long>(longs, 1000);
         Longs sums(longs);
         for (std::size_t i = 0; i < longs; ++i)
           sums[i] = in[i] + (i > 0 && keys[i] == keys[i - 1] ? sums[i - 1] : 0);
         const DeviceLongs of = in;
         return case_of(keys, bytes_of(sums), [=](const DeviceLongs& k) {
           DeviceLongs to(longs);
           thrust::inclusive_scan_by_key(k.begin(), k.end(), of.begin(), to.begin());
           return bytes_of(host(to));
         });
       }},
      {"reduce of float", words,
       [] {
         const auto whole = values<int>(words, 1 << 20);
         std::vector<float> in(words);
         std::vector<long double> sum(1), magnitude(1);
         for (std::size_t i = 0; i < words; ++i) {
           in[i] = static_cast<float>(whole[i]) / 7 - 40000;
           sum[0] += in[i];
           magnitude[0] += std::fabs(in[i]);
         }
         const thrust::device_vector<float> v = in;
         return Case{
             {},
             [=] { return bytes_of(std::vector<float>{thrust::reduce(v.begin(), v.end())}); },
             within_bound<float>(sum, magnitude, words)};
       }},
      {"inclusive_scan of double", longs,
       [] {
         const auto whole = values<int>(longs, 1 << 20);
         std::vector<double> in(longs);
         std::vector<long double> sums(longs), magnitudes(longs);
         for (std::size_t i = 0; i < longs; ++i) {
           in[i] = static_cast<double>(whole[i]) / 7 - 40000;
           sums[i] = in[i] + (i > 0 ? sums[i - 1] : 0);
           magnitudes[i] = std::fabs(in[i]) + (i > 0 ? magnitudes[i - 1] : 0);
         }
         const thrust::device_vector<double> v = in;
         return Case{{},
                     [=] {
                       thrust::device_vector<double> to(longs);
                       thrust::inclusive_scan(v.begin(), v.end(), to.begin());
                       return bytes_of(host(to));
                     },
                     within_bound<double>(sums, magnitudes, longs)};
       }},
      {"gather and scatter", words,
       [] {
         Ints order(words);
         for (std::size_t i = 0; i < words; ++i) order[i] = static_cast<int>((i * 40507) % words);
         const auto in = values<int>(words, 1000000);
         return case_of(in, bytes_of(in), [map = DeviceInts(order)](const DeviceInts& v) {
           DeviceInts there(words), back(words);
           thrust::gather(map.begin(), map.end(), v.begin(), there.begin());
           thrust::scatter(there.begin(), there.end(), map.begin(), back.begin());
           return bytes_of(host(back));
         });
       }},
  };
  return run_cases(cases, argc, argv, 3);
}

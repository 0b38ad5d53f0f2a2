// Every device-wide algorithm of CUB on at least 64 tiles, with 32-bit, 64-bit and 16-byte items:
// those whose result does not depend on the order of its operations, and sums of floating-point
// numbers.
#include <cub/device/device_adjacent_difference.cuh>
#include <cub/device/device_copy.cuh>
#include <cub/device/device_for.cuh>
#include <cub/device/device_histogram.cuh>
#include <cub/device/device_memcpy.cuh>
#include <cub/device/device_merge.cuh>
#include <cub/device/device_merge_sort.cuh>
#include <cub/device/device_partition.cuh>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_reduce.cuh>
#include <cub/device/device_run_length_encode.cuh>
#include <cub/device/device_scan.cuh>
#include <cub/device/device_segmented_radix_sort.cuh>
#include <cub/device/device_segmented_reduce.cuh>
#include <cub/device/device_segmented_sort.cuh>
#include <cub/device/device_select.cuh>
#include <cub/device/device_transform.cuh>

#include <algorithm>
#include <memory>
#include <numeric>

#include "repeats.cuh"

namespace {

// 64 tiles of the largest tile that the tuning for compute capability 8.0 to 9.0 has for the size.
constexpr std::size_t words = 64 * 256 * 24;
constexpr std::size_t longs = 64 * 256 * 14;
constexpr std::size_t pairs = 64 * 128 * 14;
// The tiles of radix sorts are larger: up to 512 threads with 23 keys of 4 bytes each.
constexpr std::size_t radix_words = 64 * 512 * 23;
constexpr std::size_t radix_longs = 64 * 512 * 12;
// Here a block sorts a segment.
constexpr std::size_t segmented = 64 * 450;

template <class T>
struct Array {
  T* data = nullptr;
  std::size_t size = 0;
  explicit Array(std::size_t n) : size(n) {
    CUDA_OK(cudaMalloc(&data, std::max<std::size_t>(n, 1) * sizeof(T)));
  }
  explicit Array(const std::vector<T>& host) : Array(host.size()) {
    CUDA_OK(cudaMemcpy(data, host.data(), size * sizeof(T), cudaMemcpyHostToDevice));
  }
  Array(const Array&) = delete;
  ~Array() { cudaFree(data); }
  void clear() const { CUDA_OK(cudaMemset(data, 0xa5, size * sizeof(T))); }
  std::vector<T> host(std::size_t count) const {
    std::vector<T> result(count);
    CUDA_OK(cudaMemcpy(result.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost));
    return result;
  }
  std::vector<T> host() const { return host(size); }
};
template <class T>
std::shared_ptr<Array<T>> device(const std::vector<T>& host) {
  return std::make_shared<Array<T>>(host);
}
template <class T>
std::shared_ptr<Array<T>> device(std::size_t n) {
  return std::make_shared<Array<T>>(n);
}

unsigned long long mix(unsigned long long x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}
// Values below `below`, as a T.
template <class T>
T value_of(unsigned long long x) {
  return static_cast<T>(x);
}
template <>
Pair value_of<Pair>(unsigned long long x) {
  return {static_cast<long long>(x), static_cast<long long>(x * 3 + 1)};
}
template <class T>
std::vector<T> values(std::size_t n, unsigned long long below, unsigned long long salt = 1) {
  std::vector<T> all(n);
  for (std::size_t i = 0; i < n; ++i) all[i] = value_of<T>(mix(i * 31 + salt) % below);
  return all;
}
// Runs of one to eight equal items.
template <class T>
std::vector<T> runs_of(std::size_t n) {
  std::vector<T> all(n);
  unsigned long long key = 0;
  for (std::size_t i = 0; i < n;) {
    const std::size_t length = 1 + mix(key) % 8;
    for (std::size_t k = 0; k < length && i < n; ++k) all[i++] = value_of<T>(key);
    ++key;
  }
  return all;
}

// Every algorithm is called twice: for the size of its scratch memory, and to work.
template <class Call>
std::function<void()> with_scratch(Call call) {
  std::size_t bytes = 0;
  CUDA_OK(call(nullptr, bytes));
  auto scratch = device<char>(bytes);
  return [scratch, bytes, call] {
    std::size_t same = bytes;
    CUDA_OK(call(scratch->data, same));
  };
}

template <class T>
struct Plus {
  __host__ __device__ T operator()(const T& x, const T& y) const { return static_cast<T>(x + y); }
};
template <>
struct Plus<Pair> : AddPairs {};
struct Third {
  __host__ __device__ bool operator()(int x) const { return x % 3 == 0; }
  __host__ __device__ bool operator()(long long x) const { return x % 3 == 0; }
  __host__ __device__ bool operator()(const Pair& x) const { return x.a % 3 == 0; }
};
struct Seventh {
  __host__ __device__ bool operator()(int x) const { return x % 7 == 1; }
};
struct Same {
  template <class T>
  __host__ __device__ bool operator()(const T& x, const T& y) const {
    return x == y;
  }
};
struct Less {
  template <class T>
  __host__ __device__ bool operator()(const T& x, const T& y) const {
    return x < y;
  }
};
struct Triple {
  __host__ __device__ int operator()(int x) const { return 3 * x + 1; }
};
struct Difference {
  template <class T>
  __host__ __device__ T operator()(const T& x, const T& y) const {
    return x - y;
  }
};
template <class T>
T zero() {
  return value_of<T>(0);
}
template <>
Pair zero<Pair>() {
  return {0, 0};
}

// --- scans

template <class T>
Named inclusive_scan(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = values<T>(n, 1000);
            std::vector<T> expected(n);
            T sum = zero<T>();
            for (std::size_t i = 0; i < n; ++i) expected[i] = sum = Plus<T>()(sum, in[i]);
            const auto from = device(in);
            const auto to = device<T>(n);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceScan::InclusiveScan(s, b, from->data, to->data, Plus<T>(),
                                                    static_cast<int>(n));
            });
            return Case{bytes_of(expected), [=] {
                          to->clear();
                          call();
                          return bytes_of(to->host());
                        }};
          }};
}
template <class T>
Named exclusive_scan(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = values<T>(n, 1000);
            std::vector<T> expected(n);
            T sum = value_of<T>(5);
            for (std::size_t i = 0; i < n; ++i) {
              expected[i] = sum;
              sum = Plus<T>()(sum, in[i]);
            }
            const auto from = device(in);
            const auto to = device<T>(n);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceScan::ExclusiveScan(s, b, from->data, to->data, Plus<T>(),
                                                    value_of<T>(5), static_cast<int>(n));
            });
            return Case{bytes_of(expected), [=] {
                          to->clear();
                          call();
                          return bytes_of(to->host());
                        }};
          }};
}
template <class K, class T>
Named scan_by_key(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto keys = runs_of<K>(n);
            const auto in = values<T>(n, 1000);
            std::vector<T> expected(n);
            for (std::size_t i = 0; i < n; ++i)
              expected[i] =
                  i > 0 && keys[i] == keys[i - 1] ? Plus<T>()(expected[i - 1], in[i]) : in[i];
            const auto of = device(keys);
            const auto from = device(in);
            const auto to = device<T>(n);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceScan::InclusiveScanByKey(s, b, of->data, from->data, to->data,
                                                         Plus<T>(), static_cast<int>(n), Same());
            });
            return Case{bytes_of(expected), [=] {
                          to->clear();
                          call();
                          return bytes_of(to->host());
                        }};
          }};
}

// --- runs and selections

template <class K>
Named encode(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = runs_of<K>(n);
            std::vector<K> keys;
            std::vector<int> lengths;
            for (std::size_t i = 0; i < n; ++i) {
              if (i == 0 || in[i] != in[i - 1]) {
                keys.push_back(in[i]);
                lengths.push_back(0);
              }
              ++lengths.back();
            }
            const std::vector<int> count{static_cast<int>(keys.size())};
            const auto from = device(in);
            const auto to = device<K>(n);
            const auto length = device<int>(n);
            const auto found = device<int>(1);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceRunLengthEncode::Encode(s, b, from->data, to->data, length->data,
                                                        found->data, static_cast<int>(n));
            });
            const std::size_t expected = keys.size();
            return Case{bytes_of(keys, lengths, count), [=] {
                          to->clear();
                          length->clear();
                          found->clear();
                          call();
                          return bytes_of(to->host(expected), length->host(expected),
                                          found->host());
                        }};
          }};
}
Named non_trivial_runs(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = runs_of<int>(n);
            std::vector<int> offsets, lengths;
            for (std::size_t i = 0; i < n;) {
              std::size_t k = i;
              while (k < n && in[k] == in[i]) ++k;
              if (k - i > 1) {
                offsets.push_back(static_cast<int>(i));
                lengths.push_back(static_cast<int>(k - i));
              }
              i = k;
            }
            const std::vector<int> count{static_cast<int>(offsets.size())};
            const auto from = device(in);
            const auto to = device<int>(n);
            const auto length = device<int>(n);
            const auto found = device<int>(1);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceRunLengthEncode::NonTrivialRuns(
                  s, b, from->data, to->data, length->data, found->data, static_cast<int>(n));
            });
            const std::size_t expected = offsets.size();
            return Case{bytes_of(offsets, lengths, count), [=] {
                          to->clear();
                          length->clear();
                          found->clear();
                          call();
                          return bytes_of(to->host(expected), length->host(expected),
                                          found->host());
                        }};
          }};
}
template <class K, class T>
Named reduce_by_key(const char* name, std::size_t n) {
  return {
      name, n, [n] {
        const auto keys_in = runs_of<K>(n);
        const auto in = values<T>(n, 1000);
        std::vector<K> keys;
        std::vector<T> sums;
        for (std::size_t i = 0; i < n; ++i) {
          if (i == 0 || keys_in[i] != keys_in[i - 1]) {
            keys.push_back(keys_in[i]);
            sums.push_back(in[i]);
          } else
            sums.back() = Plus<T>()(sums.back(), in[i]);
        }
        const std::vector<int> count{static_cast<int>(keys.size())};
        const auto of = device(keys_in);
        const auto from = device(in);
        const auto to_keys = device<K>(n);
        const auto to = device<T>(n);
        const auto found = device<int>(1);
        const auto call = with_scratch([=](void* s, std::size_t& b) {
          return cub::DeviceReduce::ReduceByKey(s, b, of->data, to_keys->data, from->data, to->data,
                                                found->data, Plus<T>(), static_cast<int>(n));
        });
        const std::size_t expected = keys.size();
        return Case{bytes_of(keys, sums, count), [=] {
                      to_keys->clear();
                      to->clear();
                      found->clear();
                      call();
                      return bytes_of(to_keys->host(expected), to->host(expected), found->host());
                    }};
      }};
}
template <class T>
Named select_if(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = values<T>(n, 1000000);
            std::vector<T> kept;
            std::copy_if(in.begin(), in.end(), std::back_inserter(kept), Third());
            const std::vector<int> count{static_cast<int>(kept.size())};
            const auto from = device(in);
            const auto to = device<T>(n);
            const auto found = device<int>(1);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceSelect::If(s, b, from->data, to->data, found->data,
                                           static_cast<int>(n), Third());
            });
            const std::size_t expected = kept.size();
            return Case{bytes_of(kept, count), [=] {
                          to->clear();
                          found->clear();
                          call();
                          return bytes_of(to->host(expected), found->host());
                        }};
          }};
}
Named select_flagged(const char* name, std::size_t n, bool partition) {
  return {name, n, [n, partition] {
            const auto in = values<int>(n, 1000000);
            std::vector<char> flags(n);
            std::vector<int> kept, rest;
            for (std::size_t i = 0; i < n; ++i) {
              flags[i] = Third()(in[i]) ? 1 : 0;
              (flags[i] ? kept : rest).push_back(in[i]);
            }
            const std::vector<int> count{static_cast<int>(kept.size())};
            std::reverse(rest.begin(), rest.end());
            if (partition) kept.insert(kept.end(), rest.begin(), rest.end());
            const auto from = device(in);
            const auto flag = device(flags);
            const auto to = device<int>(n);
            const auto found = device<int>(1);
            const auto call = partition ? with_scratch([=](void* s, std::size_t& b) {
              return cub::DevicePartition::Flagged(s, b, from->data, flag->data, to->data,
                                                   found->data, static_cast<int>(n));
            })
                                        : with_scratch([=](void* s, std::size_t& b) {
                                            return cub::DeviceSelect::Flagged(
                                                s, b, from->data, flag->data, to->data, found->data,
                                                static_cast<int>(n));
                                          });
            const std::size_t expected = kept.size();
            return Case{bytes_of(kept, count), [=] {
                          to->clear();
                          found->clear();
                          call();
                          return bytes_of(to->host(expected), found->host());
                        }};
          }};
}
Named partition_if(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = values<int>(n, 1000000);
            std::vector<int> kept, rest;
            for (const int x : in) (Third()(x) ? kept : rest).push_back(x);
            const std::vector<int> count{static_cast<int>(kept.size())};
            kept.insert(kept.end(), rest.rbegin(), rest.rend());
            const auto from = device(in);
            const auto to = device<int>(n);
            const auto found = device<int>(1);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DevicePartition::If(s, b, from->data, to->data, found->data,
                                              static_cast<int>(n), Third());
            });
            return Case{bytes_of(kept, count), [=] {
                          to->clear();
                          found->clear();
                          call();
                          return bytes_of(to->host(), found->host());
                        }};
          }};
}
Named partition_three(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = values<int>(n, 1000000);
            std::vector<int> first, second, rest;
            for (const int x : in) (Third()(x) ? first : Seventh()(x) ? second : rest).push_back(x);
            const std::vector<int> count{static_cast<int>(first.size()),
                                         static_cast<int>(second.size())};
            const auto from = device(in);
            const auto a = device<int>(n);
            const auto b2 = device<int>(n);
            const auto c = device<int>(n);
            const auto found = device<int>(2);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DevicePartition::If(s, b, from->data, a->data, b2->data, c->data,
                                              found->data, static_cast<int>(n), Third(), Seventh());
            });
            const std::size_t x = first.size(), y = second.size(), z = rest.size();
            return Case{bytes_of(first, second, rest, count), [=] {
                          a->clear();
                          b2->clear();
                          c->clear();
                          found->clear();
                          call();
                          return bytes_of(a->host(x), b2->host(y), c->host(z), found->host());
                        }};
          }};
}
template <class T>
Named unique(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = runs_of<T>(n);
            auto kept = in;
            kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
            const std::vector<int> count{static_cast<int>(kept.size())};
            const auto from = device(in);
            const auto to = device<T>(n);
            const auto found = device<int>(1);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceSelect::Unique(s, b, from->data, to->data, found->data,
                                               static_cast<int>(n));
            });
            const std::size_t expected = kept.size();
            return Case{bytes_of(kept, count), [=] {
                          to->clear();
                          found->clear();
                          call();
                          return bytes_of(to->host(expected), found->host());
                        }};
          }};
}
Named unique_by_key(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = runs_of<int>(n);
            const auto with = values<long long>(n, 1000000);
            std::vector<int> keys;
            std::vector<long long> kept;
            for (std::size_t i = 0; i < n; ++i)
              if (i == 0 || in[i] != in[i - 1]) {
                keys.push_back(in[i]);
                kept.push_back(with[i]);
              }
            const std::vector<int> count{static_cast<int>(keys.size())};
            const auto of = device(in);
            const auto from = device(with);
            const auto to_keys = device<int>(n);
            const auto to = device<long long>(n);
            const auto found = device<int>(1);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceSelect::UniqueByKey(s, b, of->data, from->data, to_keys->data,
                                                    to->data, found->data, static_cast<int>(n));
            });
            const std::size_t expected = keys.size();
            return Case{bytes_of(keys, kept, count), [=] {
                          to_keys->clear();
                          to->clear();
                          found->clear();
                          call();
                          return bytes_of(to_keys->host(expected), to->host(expected),
                                          found->host());
                        }};
          }};
}

// --- reductions and histograms

template <class T>
Named reduce(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = values<T>(n, 1000);
            T sum = zero<T>();
            for (const T& x : in) sum = Plus<T>()(sum, x);
            const auto from = device(in);
            const auto to = device<T>(1);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceReduce::Reduce(s, b, from->data, to->data, static_cast<int>(n),
                                               Plus<T>(), zero<T>());
            });
            return Case{bytes_of(std::vector<T>{sum}), [=] {
                          to->clear();
                          call();
                          return bytes_of(to->host());
                        }};
          }};
}
Named extremes(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = values<int>(n, 1000000000);
            const auto least = std::min_element(in.begin(), in.end());
            const auto most = std::max_element(in.begin(), in.end());
            const auto from = device(in);
            const auto to = device<int>(2);
            const auto where = device<cub::KeyValuePair<int, int>>(2);
            const auto a = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceReduce::Min(s, b, from->data, to->data, static_cast<int>(n));
            });
            const auto b2 = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceReduce::Max(s, b, from->data, to->data + 1, static_cast<int>(n));
            });
            const std::vector<int> expected{*least, *most};
            (void)where;
            return Case{bytes_of(expected), [=] {
                          to->clear();
                          a();
                          b2();
                          return bytes_of(to->host());
                        }};
          }};
}
Named segmented_reduce(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = values<long long>(n, 1000);
            std::vector<int> ends{0};
            while (static_cast<std::size_t>(ends.back()) < n)
              ends.push_back(
                  static_cast<int>(std::min<std::size_t>(n, ends.back() + mix(ends.size()) % 700)));
            std::vector<long long> sums(ends.size() - 1);
            for (std::size_t s = 0; s + 1 < ends.size(); ++s)
              for (int i = ends[s]; i < ends[s + 1]; ++i) sums[s] += in[i];
            const auto from = device(in);
            const auto offsets = device(ends);
            const auto to = device<long long>(sums.size());
            const int segments = static_cast<int>(sums.size());
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceSegmentedReduce::Sum(s, b, from->data, to->data, segments,
                                                     offsets->data, offsets->data + 1);
            });
            return Case{bytes_of(sums), [=] {
                          to->clear();
                          call();
                          return bytes_of(to->host());
                        }};
          }};
}
Named histogram(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = values<unsigned char>(n, 256);
            std::vector<int> bins(256);
            for (const unsigned char x : in) ++bins[x];
            const auto from = device(in);
            const auto to = device<int>(256);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceHistogram::HistogramEven(s, b, from->data, to->data, 257, 0, 256,
                                                         static_cast<int>(n));
            });
            return Case{bytes_of(bins), [=] {
                          to->clear();
                          call();
                          return bytes_of(to->host());
                        }};
          }};
}
Named histogram_range(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = values<int>(n, 1000);
            const std::vector<int> levels{0, 10, 50, 300, 301, 999};
            std::vector<int> bins(levels.size() - 1);
            for (const int x : in)
              for (std::size_t k = 0; k + 1 < levels.size(); ++k)
                if (x >= levels[k] && x < levels[k + 1]) ++bins[k];
            const auto from = device(in);
            const auto edges = device(levels);
            const auto to = device<int>(bins.size());
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceHistogram::HistogramRange(s, b, from->data, to->data,
                                                          static_cast<int>(edges->size),
                                                          edges->data, static_cast<int>(n));
            });
            return Case{bytes_of(bins), [=] {
                          to->clear();
                          call();
                          return bytes_of(to->host());
                        }};
          }};
}

// --- sums of floating-point numbers

template <class T>
std::vector<T> fractions(std::size_t n) {
  std::vector<T> all(n);
  for (std::size_t i = 0; i < n; ++i) {
    all[i] = static_cast<T>(static_cast<double>(mix(i) >> 11) * 0x1p-53 - 0.25);
  }
  return all;
}
template <class T>
Named reduce_fractions(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = fractions<T>(n);
            std::vector<long double> sum(1), magnitude(1);
            for (const T x : in) {
              sum[0] += x;
              magnitude[0] += std::fabs(x);
            }
            const auto from = device(in);
            const auto to = device<T>(1);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceReduce::Sum(s, b, from->data, to->data, static_cast<int>(n));
            });
            return Case{{},
                        [=] {
                          to->clear();
                          call();
                          return bytes_of(to->host());
                        },
                        within_bound<T>(sum, magnitude, n)};
          }};
}
template <class T>
Named scan_fractions(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = fractions<T>(n);
            std::vector<long double> sums(n), magnitudes(n);
            for (std::size_t i = 0; i < n; ++i) {
              sums[i] = in[i] + (i > 0 ? sums[i - 1] : 0);
              magnitudes[i] = std::fabs(in[i]) + (i > 0 ? magnitudes[i - 1] : 0);
            }
            const auto from = device(in);
            const auto to = device<T>(n);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceScan::InclusiveSum(s, b, from->data, to->data, static_cast<int>(n));
            });
            return Case{{},
                        [=] {
                          to->clear();
                          call();
                          return bytes_of(to->host());
                        },
                        within_bound<T>(sums, magnitudes, n)};
          }};
}
// Long runs, so that their sums go through many tiles.
template <class T>
Named reduce_fractions_by_key(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = fractions<T>(n);
            std::vector<int> keys(n);
            std::vector<long double> sums, magnitudes;
            for (std::size_t i = 0; i < n; ++i) {
              keys[i] = static_cast<int>(i / 20000);
              if (i % 20000 == 0) {
                sums.push_back(0);
                magnitudes.push_back(0);
              }
              sums.back() += in[i];
              magnitudes.back() += std::fabs(in[i]);
            }
            const auto of = device(keys);
            const auto from = device(in);
            const auto to_keys = device<int>(n);
            const auto to = device<T>(n);
            const auto found = device<int>(1);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceReduce::ReduceByKey(s, b, of->data, to_keys->data, from->data,
                                                    to->data, found->data, Plus<T>(),
                                                    static_cast<int>(n));
            });
            const std::size_t expected = sums.size();
            return Case{{},
                        [=] {
                          to->clear();
                          found->clear();
                          call();
                          // No sums, which are wrong, where their number is.
                          const bool right = found->host()[0] == static_cast<int>(expected);
                          return right ? bytes_of(to->host(expected)) : Bytes();
                        },
                        within_bound<T>(sums, magnitudes, n)};
          }};
}

// --- sorts and merges

template <class K>
Named radix_sort(const char* name, std::size_t n, bool descending) {
  return {name, n, [n, descending] {
            const auto keys = values<K>(n, ~0ULL >> 1);
            std::vector<int> numbers(n);
            std::iota(numbers.begin(), numbers.end(), 0);
            auto order = numbers;
            std::stable_sort(order.begin(), order.end(), [&](int i, int j) {
              return descending ? keys[j] < keys[i] : keys[i] < keys[j];
            });
            std::vector<K> sorted(n);
            for (std::size_t i = 0; i < n; ++i) sorted[i] = keys[order[i]];
            const auto from = device(keys);
            const auto with = device(numbers);
            const auto to = device<K>(n);
            const auto to_numbers = device<int>(n);
            const auto call = descending ? with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceRadixSort::SortPairsDescending(
                  s, b, from->data, to->data, with->data, to_numbers->data, static_cast<int>(n));
            })
                                         : with_scratch([=](void* s, std::size_t& b) {
                                             return cub::DeviceRadixSort::SortPairs(
                                                 s, b, from->data, to->data, with->data,
                                                 to_numbers->data, static_cast<int>(n));
                                           });
            return Case{bytes_of(sorted, order), [=] {
                          to->clear();
                          to_numbers->clear();
                          call();
                          return bytes_of(to->host(), to_numbers->host());
                        }};
          }};
}
template <class K>
Named merge_sort(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto keys = values<K>(n, 5000);
            auto sorted = keys;
            std::stable_sort(sorted.begin(), sorted.end());
            const auto from = device(keys);
            const auto to = device<K>(n);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceMergeSort::SortKeysCopy(s, b, from->data, to->data,
                                                        static_cast<int>(n), Less());
            });
            return Case{bytes_of(sorted), [=] {
                          to->clear();
                          call();
                          return bytes_of(to->host());
                        }};
          }};
}
Named merge(const char* name, std::size_t n) {
  return {name, n, [n] {
            auto a = values<long long>(n / 2, 100000, 3);
            auto b2 = values<long long>(n - n / 2, 100000, 4);
            std::sort(a.begin(), a.end());
            std::sort(b2.begin(), b2.end());
            std::vector<long long> expected(n);
            std::merge(a.begin(), a.end(), b2.begin(), b2.end(), expected.begin());
            const auto x = device(a);
            const auto y = device(b2);
            const auto to = device<long long>(n);
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceMerge::MergeKeys(s, b, x->data, static_cast<int>(x->size), y->data,
                                                 static_cast<int>(y->size), to->data, Less());
            });
            return Case{bytes_of(expected), [=] {
                          to->clear();
                          call();
                          return bytes_of(to->host());
                        }};
          }};
}
Named segmented_sort(const char* name, std::size_t n, bool radix) {
  return {name, n, [n, radix] {
            const auto keys = values<int>(n, 1000000);
            std::vector<int> ends{0};
            while (static_cast<std::size_t>(ends.back()) < n)
              ends.push_back(
                  static_cast<int>(std::min<std::size_t>(n, ends.back() + mix(ends.size()) % 900)));
            auto sorted = keys;
            for (std::size_t s = 0; s + 1 < ends.size(); ++s)
              std::sort(sorted.begin() + ends[s], sorted.begin() + ends[s + 1]);
            const auto from = device(keys);
            const auto offsets = device(ends);
            const auto to = device<int>(n);
            const int segments = static_cast<int>(ends.size()) - 1;
            const auto call = radix ? with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceSegmentedRadixSort::SortKeys(s, b, from->data, to->data,
                                                             static_cast<int>(n), segments,
                                                             offsets->data, offsets->data + 1);
            })
                                    : with_scratch([=](void* s, std::size_t& b) {
                                        return cub::DeviceSegmentedSort::SortKeys(
                                            s, b, from->data, to->data, static_cast<int>(n),
                                            segments, offsets->data, offsets->data + 1);
                                      });
            return Case{bytes_of(sorted), [=] {
                          to->clear();
                          call();
                          return bytes_of(to->host());
                        }};
          }};
}

// --- item by item

Named adjacent_difference(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = values<long long>(n, 1000000);
            auto expected = in;
            for (std::size_t i = 1; i < n; ++i) expected[i] = in[i] - in[i - 1];
            const auto from = device(in);
            const auto to = device<long long>(n);
            // In place: each tile needs the last item of the one before as it was.
            const auto call = with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceAdjacentDifference::SubtractLeft(s, b, to->data,
                                                                 static_cast<int>(n), Difference());
            });
            return Case{bytes_of(expected), [=] {
                          CUDA_OK(cudaMemcpy(to->data, from->data, n * sizeof(long long),
                                             cudaMemcpyDeviceToDevice));
                          call();
                          return bytes_of(to->host());
                        }};
          }};
}
Named transform(const char* name, std::size_t n) {
  return {name, n, [n] {
            const auto in = values<int>(n, 1000000);
            std::vector<int> expected(n);
            std::transform(in.begin(), in.end(), expected.begin(), Triple());
            const auto from = device(in);
            const auto to = device<int>(n);
            return Case{bytes_of(expected), [=] {
                          to->clear();
                          CUDA_OK(cub::DeviceTransform::Transform(from->data, to->data,
                                                                  static_cast<int>(n), Triple()));
                          return bytes_of(to->host());
                        }};
          }};
}
struct Put {
  int* to;
  __device__ void operator()(int i) const { to[i] = 3 * i; }
};
Named bulk(const char* name, std::size_t n) {
  return {name, n, [n] {
            std::vector<int> expected(n);
            for (std::size_t i = 0; i < n; ++i) expected[i] = 3 * static_cast<int>(i);
            const auto to = device<int>(n);
            return Case{bytes_of(expected), [=] {
                          to->clear();
                          CUDA_OK(cub::DeviceFor::Bulk(static_cast<int>(n), Put{to->data}));
                          return bytes_of(to->host());
                        }};
          }};
}
// Many pieces, copied to where they were, in another array: small ones by warps, large ones by
// tiles.
Named batched(const char* name, std::size_t n, bool bytes) {
  return {name, n, [n, bytes] {
            const auto in = values<int>(n, 1000000);
            const auto from = device(in);
            const auto to = device<int>(n);
            std::vector<int*> sources, targets;
            std::vector<unsigned> sizes;
            for (std::size_t at = 0; at < n;) {
              const auto length =
                  std::min<std::size_t>(n - at, mix(at) % 16 == 0 ? 9000 : 1 + mix(at) % 40);
              sources.push_back(from->data + at);
              targets.push_back(to->data + at);
              sizes.push_back(static_cast<unsigned>(length * (bytes ? sizeof(int) : 1)));
              at += length;
            }
            const auto s2 = device(sources);
            const auto t = device(targets);
            const auto lengths = device(sizes);
            const auto count = static_cast<unsigned>(sizes.size());
            const auto call = bytes ? with_scratch([=](void* s, std::size_t& b) {
              return cub::DeviceMemcpy::Batched(s, b, s2->data, t->data, lengths->data, count);
            })
                                    : with_scratch([=](void* s, std::size_t& b) {
                                        return cub::DeviceCopy::Batched(s, b, s2->data, t->data,
                                                                        lengths->data, count);
                                      });
            return Case{bytes_of(in), [=] {
                          to->clear();
                          call();
                          (void)from;
                          return bytes_of(to->host());
                        }};
          }};
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<Named> cases = {
      inclusive_scan<int>("InclusiveScan, 4 bytes", words),
      inclusive_scan<long long>("InclusiveScan, 8 bytes", longs),
      inclusive_scan<Pair>("InclusiveScan, 16 bytes", pairs),
      exclusive_scan<int>("ExclusiveScan, 4 bytes", words),
      exclusive_scan<long long>("ExclusiveScan, 8 bytes", longs),
      exclusive_scan<Pair>("ExclusiveScan, 16 bytes", pairs),
      scan_by_key<int, int>("InclusiveScanByKey, 4 and 4 bytes", words),
      scan_by_key<int, long long>("InclusiveScanByKey, 4 and 8 bytes", longs),
      encode<int>("RunLengthEncode::Encode, 4 bytes", words),
      encode<long long>("RunLengthEncode::Encode, 8 bytes", longs),
      non_trivial_runs("RunLengthEncode::NonTrivialRuns", words),
      reduce_by_key<int, int>("ReduceByKey, 4 and 4 bytes", words),
      reduce_by_key<int, long long>("ReduceByKey, 4 and 8 bytes", longs),
      reduce_by_key<long long, Pair>("ReduceByKey, 8 and 16 bytes", pairs),
      select_if<int>("Select::If, 4 bytes", words),
      select_if<long long>("Select::If, 8 bytes", longs),
      select_if<Pair>("Select::If, 16 bytes", pairs),
      select_flagged("Select::Flagged", words, false),
      select_flagged("Partition::Flagged", words, true),
      partition_if("Partition::If", words),
      partition_three("Partition::If, three ways", words),
      unique<int>("Select::Unique, 4 bytes", words),
      unique<Pair>("Select::Unique, 16 bytes", pairs),
      unique_by_key("Select::UniqueByKey", longs),
      reduce<int>("Reduce, 4 bytes", words),
      reduce<long long>("Reduce, 8 bytes", longs),
      reduce<Pair>("Reduce, 16 bytes", pairs),
      reduce_fractions<float>("Reduce::Sum of float", words),
      reduce_fractions<double>("Reduce::Sum of double", longs),
      scan_fractions<float>("InclusiveSum of float", words),
      scan_fractions<double>("InclusiveSum of double", longs),
      reduce_fractions_by_key<float>("ReduceByKey of float", words),
      reduce_fractions_by_key<double>("ReduceByKey of double", longs),
      extremes("Reduce::Min and Max", words),
      segmented_reduce("SegmentedReduce::Sum", longs),
      histogram("HistogramEven", words * 4),
      histogram_range("HistogramRange", words),
      radix_sort<unsigned>("RadixSort::SortPairs, 4 bytes", radix_words, false),
      radix_sort<unsigned long long>("RadixSort::SortPairsDescending, 8 bytes", radix_longs, true),
      merge_sort<int>("MergeSort::SortKeysCopy, 4 bytes", words),
      merge_sort<Pair>("MergeSort::SortKeysCopy, 16 bytes", pairs),
      merge("Merge::MergeKeys", longs),
      segmented_sort("SegmentedSort::SortKeys", segmented * 2, false),
      segmented_sort("SegmentedRadixSort::SortKeys", segmented * 2, true),
      adjacent_difference("AdjacentDifference, in place", longs),
      transform("Transform", words),
      bulk("For::Bulk", words),
      batched("Memcpy::Batched", words, true),
      batched("Copy::Batched", words, false),
  };
  return run_cases(cases, argc, argv, 3);
}

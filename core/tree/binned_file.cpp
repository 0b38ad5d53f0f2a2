// The file of a BinnedDataset: an archive of all but the bins, zeros up to the next multiple of
// page_size, and the bins as they lie in memory, whose checksums by pieces are in the archive.
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <utility>

#include "core/archive_front.hpp"
#include "core/file.hpp"
#include "core/parallel.hpp"
#include "core/tree/category_bins.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/tree/binned_dataset.hpp"

namespace tandem {
namespace {

constexpr std::string_view file_kind = "binned table";
constexpr std::size_t page_size = 4096;
// Bytes of the bins that have a checksum of their own.
constexpr Index piece_bytes = Index{1} << 20;

constexpr std::size_t next_page(std::size_t offset) {
  return (offset + page_size - 1) / page_size * page_size;
}

std::vector<std::int64_t> checksums_of(std::span<const std::uint8_t> bytes) {
  const auto size = static_cast<Index>(bytes.size());
  std::vector<std::int64_t> sums(static_cast<std::size_t>(ceil_div(size, piece_bytes)));
  parallel_pieces(available_cores(), size, piece_bytes, [&](Piece piece) {
    for (Index begin = piece.begin; begin < piece.end; begin += piece_bytes) {
      const auto count = static_cast<std::size_t>(std::min(piece_bytes, piece.end - begin));
      sums[static_cast<std::size_t>(begin / piece_bytes)] =
          static_cast<std::int64_t>(crc32_z(crc32_z(0, nullptr, 0), bytes.data() + begin, count));
    }
  });
  return sums;
}

}  // namespace

template <Real T>
void BinnedDataset<T>::save(Archive& archive) const {
  archive.set("precision", to_string(precision_of<T>));
  archive.set("source", source);
  archive.set("max_bins", made.max_bins);
  archive.set("max_cat_bins", made.max_cat_bins);
  archive.set("rows", rows());
  Archive part;
  table.cuts.save(part);
  archive.set_part("cuts", part);
  std::vector<std::string> names;
  for (std::size_t j = 0; j < columns.size(); ++j) {
    names.push_back(columns[j].name);
    if (!columns[j].categorical()) continue;
    const std::string number = std::to_string(j);
    archive.set("categories/" + number, columns[j].categories);
    archive.set_tensor("codes/" + number, category_codes[j]);
  }
  archive.set("columns", std::move(names));
  archive.set_tensor("target", target);
  archive.set("target_name", target_column.name);
  archive.set("target_categories", target_column.categories);
  archive.set("target_texts", target_texts.names);
  archive.set_tensor("target_text_of_row", target_texts.labels);
  archive.set_tensor("weights", weights);
  archive.set_tensor("groups", std::vector<std::int64_t>(groups.begin(), groups.end()));
  archive.set_tensor("base_margin", base_margin);
}

template <Real T>
BinnedDataset<T> BinnedDataset<T>::load(const Archive& archive, SharedBytes bins) {
  if (archive.get_string("precision") != to_string(precision_of<T>)) {
    archive.fail("precision", "is " + archive.get_string("precision") + ", expected " +
                                  std::string(to_string(precision_of<T>)));
  }
  BinnedDataset data;
  data.source = archive.get_string("source");
  data.made.max_bins = archive.get_int("max_bins", 2, most_number_bins);
  data.made.max_cat_bins = archive.get_int("max_cat_bins", 2, most_bins);
  Archive part = archive.part("cuts");
  part.set_origin(archive.origin() + ": cuts");
  data.table.cuts = BinCuts<T>::load(part);
  const Index rows = archive.get_int("rows", 1, (Index{1} << 31) - 1);
  const Index cols = data.cols();
  const auto& names = archive.get_strings("columns");
  if (static_cast<Index>(names.size()) != cols) {
    archive.fail("columns", "are not one for each feature");
  }
  data.category_codes.resize(names.size());
  for (std::size_t j = 0; j < names.size(); ++j) {
    Column column{names[j], {}};
    const std::string number = std::to_string(j);
    if (archive.has("categories/" + number)) {
      column.categories = archive.get_strings("categories/" + number);
      const auto count = static_cast<Index>(column.categories.size());
      const auto& codes = archive.get_tensor<std::int32_t>("codes/" + number);
      // Ascending, one for each bin but the last where not all have a bin.
      Index before = -1;
      for (const std::int32_t code : codes) {
        if (code <= before || code >= count) archive.fail("codes/" + number, "are no categories");
        before = code;
      }
      const Index own = static_cast<Index>(codes.size());
      const Index bins_of = own < count ? own + 1 : own;
      if (count < 1 || count > tree::most_categories || own < 1 ||
          data.table.cuts.bins(static_cast<Index>(j)) != bins_of) {
        archive.fail("codes/" + number, "are not those of the feature's bins");
      }
      data.category_codes[j] = codes;
    }
    data.columns.push_back(std::move(column));
  }
  data.table.rows = rows;
  data.target = archive.get_tensor<T>("target", rows);
  data.target_column.name = archive.get_string("target_name");
  data.target_column.categories = archive.get_strings("target_categories");
  const auto labels_below = [&](const auto& values, std::size_t count, bool may_miss,
                                std::string_view name) {
    for (const auto value : values) {
      if (may_miss && value == -1) continue;
      if (!(value >= 0) || !(static_cast<double>(value) < static_cast<double>(count)) ||
          static_cast<double>(value) != std::floor(static_cast<double>(value))) {
        archive.fail(name, "has a row of a class that is not there");
      }
    }
  };
  if (data.target_column.categorical()) {
    labels_below(data.target, data.target_column.categories.size(), false, "target");
  }
  data.target_texts.names = archive.get_strings("target_texts");
  const auto optional = [&](const auto& values, std::string_view name) {
    if (!values.empty() && static_cast<Index>(values.size()) != rows) {
      archive.fail(name, "has not one value for each row");
    }
  };
  data.target_texts.labels = archive.get_tensor<std::int32_t>("target_text_of_row");
  optional(data.target_texts.labels, "target_text_of_row");
  labels_below(data.target_texts.labels, data.target_texts.names.size(), true,
               "target_text_of_row");
  data.weights = archive.get_tensor<T>("weights");
  optional(data.weights, "weights");
  const auto& groups = archive.get_tensor<std::int64_t>("groups");
  data.groups.assign(groups.begin(), groups.end());
  optional(data.groups, "groups");
  data.base_margin = archive.get_tensor<T>("base_margin");
  if (static_cast<Index>(data.base_margin.size()) % rows != 0) {
    archive.fail("base_margin", "has not as many values for each row");
  }
  data.table.bin_bytes = data.table.cuts.bin_bytes();
  data.table.bins = std::move(bins);
  data.table.check(archive.origin());
  return data;
}

template <Real T>
void save_binned(const std::string& path, const BinnedDataset<T>& data, const Archive& others) {
  Archive archive = others;
  Archive part;
  data.save(part);
  part.set("bytes", static_cast<std::int64_t>(data.table.bins.size()));
  part.set_tensor("checksums", checksums_of(data.table.bins.view()));
  archive.set_part("binned", part);
  const std::vector<std::uint8_t> front = encode_archive(archive, file_kind);
  const std::vector<char> padding(next_page(front.size()) - front.size(), 0);
  write_file(path, [&](std::ostream& out) {
    out.write(reinterpret_cast<const char*>(front.data()),
              static_cast<std::streamsize>(front.size()));
    out.write(padding.data(), static_cast<std::streamsize>(padding.size()));
    out.write(reinterpret_cast<const char*>(data.table.bins.data()),
              static_cast<std::streamsize>(data.table.bins.size()));
  });
}

template <Real T>
BinnedDataset<T> load_binned(SharedBytes bytes, const std::string& source, Archive* others) {
  std::size_t size = 0;
  Archive archive = decode_archive_at_front(bytes.view(), file_kind, source, size);
  Archive part = archive.part("binned");
  part.set_origin(source);
  const std::size_t begin = next_page(size);
  const auto fail = [&](const std::string& what) { throw InputError(source + ": " + what); };
  const auto expected =
      static_cast<std::size_t>(part.get_int("bytes", 0, std::numeric_limits<std::int64_t>::max()));
  const std::size_t there = bytes.size() > begin ? bytes.size() - begin : 0;
  if (there != expected) {
    fail((there < expected ? "is truncated: it has " : "is damaged: it has ") +
         std::to_string(there) + " bytes of bins, expected " + std::to_string(expected));
  }
  for (std::size_t i = size; i < std::min(begin, bytes.size()); ++i) {
    if (bytes[i] != 0) fail("is damaged: there is something between its parts");
  }
  const SharedBytes bins = there > 0 ? bytes.part(begin, there) : SharedBytes();
  if (part.get_tensor<std::int64_t>("checksums") != checksums_of(bins.view())) {
    fail(
        "is damaged: a checksum does not fit its bins; copy it again, or make it anew with "
        "tandem bin");
  }
  BinnedDataset<T> data = BinnedDataset<T>::load(part, bins);
  if (others != nullptr) *others = std::move(archive);
  return data;
}

template <Real T>
BinnedDataset<T> load_binned(const std::string& path, Archive* others) {
  return load_binned<T>(map_file(path), path, others);
}

Precision precision_of_binned(const std::string& path) {
  const SharedBytes bytes = map_file(path);
  std::size_t size = 0;
  const Archive archive = decode_archive_at_front(bytes.view(), file_kind, path, size);
  return parse_enum<Precision>("precision", archive.get_string("binned/precision"));
}

#define TANDEM_INSTANTIATE(T)                                                             \
  template void BinnedDataset<T>::save(Archive&) const;                                   \
  template BinnedDataset<T> BinnedDataset<T>::load(const Archive&, SharedBytes);          \
  template void save_binned(const std::string&, const BinnedDataset<T>&, const Archive&); \
  template BinnedDataset<T> load_binned(SharedBytes, const std::string&, Archive*);       \
  template BinnedDataset<T> load_binned(const std::string&, Archive*);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem

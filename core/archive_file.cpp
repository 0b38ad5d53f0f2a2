// The file format of docs/model-format.md.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/archive_front.hpp"
#include "core/file.hpp"
#include "tandem/core/archive.hpp"
#include "tandem/core/archive_kind.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

static_assert(std::endian::native == std::endian::little, "payloads are copied as they lie");

using Json = nlohmann::json;
using Bytes = std::span<const std::uint8_t>;

constexpr std::array<std::uint8_t, 8> magic{0x89, 'T', 'A', 'N', 'D', 'E', 'M', '\n'};
constexpr std::uint32_t format_version = 2;
constexpr std::size_t at_version = 8;
constexpr std::size_t at_kind = 16;
constexpr std::size_t kind_size = 16;
constexpr std::size_t at_header_size = 32;
constexpr std::size_t at_file_size = 40;
constexpr std::size_t prelude = 48;
constexpr std::size_t checksum_size = 4;
constexpr std::size_t alignment = 64;
constexpr std::size_t largest_header = std::size_t{16} << 20;
constexpr int deepest_header = 4;
constexpr std::size_t most_dimensions = 8;
// An extent of a tensor without elements has no bytes to vouch for it.
constexpr Index largest_empty_extent = Index{1} << 20;

constexpr std::size_t align_up(std::size_t offset) {
  return (offset + alignment - 1) / alignment * alignment;
}

template <class T>
void put(std::vector<std::uint8_t>& bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

template <class T>
T get(Bytes bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::uint32_t checksum(Bytes bytes) {
  return static_cast<std::uint32_t>(crc32_z(crc32_z(0, nullptr, 0), bytes.data(), bytes.size()));
}

constexpr std::string_view digits = "0123456789abcdef";

std::string to_hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    hex += digits[static_cast<unsigned char>(c) >> 4];
    hex += digits[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

// Every bit, most significant digit first.
std::string double_to_hex(double value) {
  auto bits = std::bit_cast<std::uint64_t>(value);
  std::string hex(16, '0');
  for (std::size_t i = 16; i-- > 0; bits >>= 4) hex[i] = digits[bits & 15];
  return hex;
}

bool is_utf8(const std::string& text) {
  // nlohmann's own judgement, which is the one that counts when the header is written.
  try {
    (void)Json(text).dump();
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

Json text_to_json(const std::string& text) {
  if (is_utf8(text)) return text;
  return {{"hex", to_hex(text)}};
}

template <class T>
constexpr std::string_view element_name = "";
template <>
constexpr std::string_view element_name<float> = "float32";
template <>
constexpr std::string_view element_name<double> = "float64";
template <>
constexpr std::string_view element_name<std::int32_t> = "int32";
template <>
constexpr std::string_view element_name<std::int64_t> = "int64";
template <>
constexpr std::string_view element_name<std::uint8_t> = "uint8";

// Writes the header's list of entries and collects the payloads in its order.
class Encoder {
 public:
  Json entry(const std::string& name, const Archive::Value& value) {
    Json json{{"name", text_to_json(name)}};
    std::visit([&](const auto& held) { describe(json, held); }, value);
    return json;
  }
  [[nodiscard]] const std::vector<Bytes>& payloads() const { return payloads_; }

 private:
  static void describe(Json& json, bool value) {
    json["type"] = "bool";
    json["value"] = value;
  }
  static void describe(Json& json, std::int64_t value) {
    json["type"] = "integer";
    json["value"] = value;
  }
  static void describe(Json& json, double value) {
    json["type"] = "number";
    json["value"] = double_to_hex(value);
  }
  static void describe(Json& json, const std::string& value) {
    json["type"] = "text";
    json["value"] = text_to_json(value);
  }
  static void describe(Json& json, const std::vector<std::string>& value) {
    json["type"] = "texts";
    json["value"] = Json::array();
    for (const auto& text : value) json["value"].push_back(text_to_json(text));
  }
  void describe(Json& json, const std::vector<double>& value) {
    json["type"] = "numbers";
    json["shape"] = Json::array({value.size()});
    add(value);
  }
  void describe(Json& json, const Archive::Tensor& tensor) {
    std::visit(
        [&](const auto& data) {
          using T = typename std::decay_t<decltype(data)>::value_type;
          Index size = 1;
          for (const Index extent : tensor.shape) size *= extent;
          if (size != static_cast<Index>(data.size()) || tensor.shape.size() > most_dimensions) {
            throw std::logic_error("archive: a tensor's shape does not fit its elements");
          }
          json["type"] = element_name<T>;
          json["shape"] = tensor.shape;
          add(data);
        },
        tensor.data);
  }
  template <class T>
  void add(const std::vector<T>& data) {
    payloads_.emplace_back(reinterpret_cast<const std::uint8_t*>(data.data()),
                           data.size() * sizeof(T));
  }

  std::vector<Bytes> payloads_;
};

class Decoder {
 public:
  Decoder(Bytes bytes, std::string_view kind, const std::string& origin)
      : bytes_(bytes), kind_(kind), origin_(origin) {}

  // Refuses what is no archive of this version; needs the first `prelude` bytes only. Returns the
  // size that the file says it has.
  std::size_t check_prelude() const {
    const std::size_t compared = std::min(bytes_.size(), magic.size());
    if (bytes_.empty()) fail("is empty, expected a Tandem " + kind_);
    if (!std::equal(magic.begin(), magic.begin() + static_cast<std::ptrdiff_t>(compared),
                    bytes_.begin())) {
      fail("is not a Tandem " + kind_ +
           " (it does not start with Tandem's mark); expected a file that " + "tandem train wrote");
    }
    if (bytes_.size() < prelude) truncated();
    const auto version = get<std::uint32_t>(bytes_, at_version);
    if (version != format_version) {
      fail("is written in version " + std::to_string(version) +
           " of the file format, and this program reads version " + std::to_string(format_version) +
           "; use the version of Tandem that wrote it, or train again");
    }
    return static_cast<std::size_t>(get<std::uint64_t>(bytes_, at_file_size));
  }

  // Refuses an archive of another kind; needs the first `prelude` bytes only.
  void refuse_other_kind() const {
    const std::string kind = kind_there();
    if (kind != kind_ && (kind == "model" || kind == "checkpoint" || kind == "binned table")) {
      fail("is a " + kind + ", expected a " + kind_);
    }
  }

  Archive decode() {
    const std::size_t size = check_prelude();
    if (bytes_.size() < size) {
      fail("is truncated: it has " + std::to_string(bytes_.size()) + " of " + std::to_string(size) +
           " bytes");
    }
    if (bytes_.size() > size) {
      fail("is damaged: it has " + std::to_string(bytes_.size() - size) +
           " bytes more than it says");
    }
    if (size < prelude + checksum_size) damaged("its length");
    end_ = size - checksum_size;
    if (checksum(bytes_.first(end_)) != get<std::uint32_t>(bytes_, end_)) {
      fail("is damaged: its checksum does not fit its contents; copy it again, or train again");
    }
    check_kind();
    if (get<std::uint32_t>(bytes_, at_version + 4) != 0) damaged("its reserved field");
    const auto header_size = get<std::uint64_t>(bytes_, at_header_size);
    if (header_size > largest_header || header_size > end_ - prelude)
      damaged("its header's length");
    cursor_ = prelude + static_cast<std::size_t>(header_size);
    const Bytes header = bytes_.subspan(prelude, static_cast<std::size_t>(header_size));
    check_depth(header);
    const Json json = Json::parse(header.begin(), header.end(), nullptr, false);
    if (!json.is_array()) damaged("its header");
    Archive archive;
    archive.set_origin(origin_);
    for (const Json& entry : json) add(archive, entry);
    if (cursor_ != end_) damaged("its length");
    return archive;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw InputError(origin_ + ": " + what); }
  [[noreturn]] void truncated() const {
    fail("is truncated: it ends after " + std::to_string(bytes_.size()) + " bytes");
  }
  [[noreturn]] void damaged(const std::string& where) const {
    fail("is not a valid Tandem " + kind_ + ": " + where + " is wrong");
  }

  [[nodiscard]] std::string kind_there() const {
    const std::string kind(reinterpret_cast<const char*>(bytes_.data() + at_kind), kind_size);
    return kind.c_str();
  }
  void check_kind() const {
    refuse_other_kind();
    if (kind_there() != kind_) damaged("its kind");
  }

  // Before anything is built from the header: a parser's memory grows with depth.
  void check_depth(Bytes header) const {
    int depth = 0;
    bool text = false;
    for (std::size_t i = 0; i < header.size(); ++i) {
      const char c = static_cast<char>(header[i]);
      if (text) {
        if (c == '\\') ++i;
        if (c == '"') text = false;
      } else if (c == '"') {
        text = true;
      } else if (c == '[' || c == '{') {
        if (++depth > deepest_header) damaged("its header's depth");
      } else if (c == ']' || c == '}') {
        --depth;
      }
    }
  }

  void add(Archive& archive, const Json& entry) {
    if (!entry.is_object() || !entry.contains("name") || !entry.contains("type") ||
        !entry["type"].is_string()) {
      damaged("an entry of its header");
    }
    const std::string name = text(entry["name"]);
    if (archive.has(name)) damaged("the entry " + name + ", which is there twice,");
    const auto& type = entry["type"].get_ref<const std::string&>();
    if (type == "bool") {
      const Json& value = value_of(entry, name);
      if (!value.is_boolean()) damaged("the entry " + name);
      archive.set(name, value.get<bool>());
    } else if (type == "integer") {
      const Json& value = value_of(entry, name);
      if (!value.is_number_integer() ||
          (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX)) {
        damaged("the entry " + name);
      }
      archive.set(name, value.get<std::int64_t>());
    } else if (type == "number") {
      archive.set(name, number(value_of(entry, name), name));
    } else if (type == "text") {
      archive.set(name, text(value_of(entry, name)));
    } else if (type == "texts") {
      const Json& value = value_of(entry, name);
      if (!value.is_array()) damaged("the entry " + name);
      std::vector<std::string> texts;
      texts.reserve(value.size());
      for (const Json& one : value) texts.push_back(text(one));
      archive.set(name, std::move(texts));
    } else if (type == "numbers") {
      const auto shape = shape_of(entry, name);
      if (shape.size() != 1) damaged("the entry " + name);
      archive.set(name, payload<double>(shape, name));
    } else if (!(tensor<float>(archive, entry, type, name) ||
                 tensor<double>(archive, entry, type, name) ||
                 tensor<std::int32_t>(archive, entry, type, name) ||
                 tensor<std::int64_t>(archive, entry, type, name) ||
                 tensor<std::uint8_t>(archive, entry, type, name))) {
      damaged("the type of the entry " + name);
    }
  }

  const Json& value_of(const Json& entry, const std::string& name) const {
    const auto found = entry.find("value");
    if (found == entry.end()) damaged("the entry " + name);
    return *found;
  }

  std::string text(const Json& json) const {
    if (json.is_string()) return json.get<std::string>();
    if (!json.is_object() || !json.contains("hex") || !json["hex"].is_string()) damaged("a text");
    const auto& hex = json["hex"].get_ref<const std::string&>();
    if (hex.size() % 2 != 0) damaged("a text");
    std::string bytes;
    bytes.reserve(hex.size() / 2);
    for (std::size_t i = 0; i < hex.size(); i += 2) {
      const auto high = digits.find(hex[i]);
      const auto low = digits.find(hex[i + 1]);
      if (high == std::string_view::npos || low == std::string_view::npos) damaged("a text");
      bytes += static_cast<char>(high * 16 + low);
    }
    return bytes;
  }

  double number(const Json& json, const std::string& name) const {
    if (!json.is_string() || json.get_ref<const std::string&>().size() != 16) {
      damaged("the entry " + name);
    }
    std::uint64_t bits = 0;
    for (const char c : json.get_ref<const std::string&>()) {
      const auto digit = digits.find(c);
      if (digit == std::string_view::npos) damaged("the entry " + name);
      bits = bits * 16 + digit;
    }
    return std::bit_cast<double>(bits);
  }

  // Extents of which the product is representable.
  std::vector<Index> shape_of(const Json& entry, const std::string& name) const {
    const auto found = entry.find("shape");
    if (found == entry.end() || !found->is_array() || found->size() > most_dimensions) {
      damaged("the shape of " + name);
    }
    std::vector<Index> shape;
    Index product = 1;
    bool empty = false;
    for (const Json& extent : *found) {
      if (!extent.is_number_unsigned() || extent.get<std::uint64_t>() > INT64_MAX) {
        damaged("the shape of " + name);
      }
      shape.push_back(extent.get<Index>());
      empty = empty || shape.back() == 0;
      if (shape.back() > 0 && __builtin_mul_overflow(product, shape.back(), &product)) {
        damaged("the shape of " + name);
      }
    }
    if (empty) {
      for (const Index extent : shape) {
        if (extent > largest_empty_extent) damaged("the shape of " + name);
      }
    }
    return shape;
  }

  // Payloads lie one behind the other, each at the next multiple of `alignment`, so that no byte of
  // the file is used twice and what is allocated is bounded by the file's own length.
  template <class T>
  std::vector<T> payload(const std::vector<Index>& shape, const std::string& name) {
    std::size_t size = 1;
    for (const Index extent : shape) size *= static_cast<std::size_t>(extent);
    const std::size_t begin = align_up(cursor_);
    if (begin > end_ || size > (end_ - begin) / sizeof(T)) {
      damaged("the size of " + name);
    }
    for (; cursor_ < begin; ++cursor_) {
      if (bytes_[cursor_] != 0) damaged("the padding before " + name);
    }
    std::vector<T> values(size);
    if (size > 0) std::memcpy(values.data(), bytes_.data() + begin, size * sizeof(T));
    cursor_ = begin + size * sizeof(T);
    return values;
  }

  template <class T>
  bool tensor(Archive& archive, const Json& entry, const std::string& type,
              const std::string& name) {
    if (type != element_name<T>) return false;
    auto shape = shape_of(entry, name);
    auto values = payload<T>(shape, name);
    archive.set_tensor(name, std::move(values), std::move(shape));
    return true;
  }

  Bytes bytes_;
  std::string kind_;
  const std::string& origin_;
  std::size_t end_ = 0;     // of everything but the checksum
  std::size_t cursor_ = 0;  // the first byte that no payload has used
};

}  // namespace

std::vector<std::uint8_t> encode_archive(const Archive& archive, std::string_view kind) {
  if (kind.empty() || kind.size() > kind_size) {
    throw std::logic_error("archive: a kind has 1 to 16 characters");
  }
  Encoder encoder;
  Json entries = Json::array();
  for (const auto& [name, value] : archive.entries()) {
    entries.push_back(encoder.entry(name, value));
  }
  const std::string header = entries.dump();
  if (header.size() > largest_header) {
    throw InputError("a " + std::string(kind) + " with " + std::to_string(header.size()) +
                     " bytes of names and texts cannot be kept; the most is " +
                     std::to_string(largest_header) +
                     ": drop text columns with very many categories");
  }
  std::size_t size = prelude + header.size();
  for (const Bytes payload : encoder.payloads()) size = align_up(size) + payload.size();
  size += checksum_size;

  std::vector<std::uint8_t> bytes(size, 0);
  std::copy(magic.begin(), magic.end(), bytes.begin());
  put(bytes, at_version, format_version);
  std::copy(kind.begin(), kind.end(), bytes.begin() + at_kind);
  put(bytes, at_header_size, static_cast<std::uint64_t>(header.size()));
  put(bytes, at_file_size, static_cast<std::uint64_t>(size));
  std::copy(header.begin(), header.end(), bytes.begin() + prelude);
  std::size_t cursor = prelude + header.size();
  for (const Bytes payload : encoder.payloads()) {
    cursor = align_up(cursor);
    std::copy(payload.begin(), payload.end(), bytes.begin() + static_cast<std::ptrdiff_t>(cursor));
    cursor += payload.size();
  }
  put(bytes, cursor, checksum(Bytes(bytes).first(cursor)));
  return bytes;
}

Archive decode_archive(std::span<const std::uint8_t> bytes, std::string_view kind,
                       const std::string& origin) {
  return Decoder(bytes, kind, origin).decode();
}

Archive decode_archive_at_front(std::span<const std::uint8_t> bytes, std::string_view kind,
                                const std::string& origin, std::size_t& size) {
  size = std::min(bytes.size(), Decoder(bytes, kind, origin).check_prelude());
  return decode_archive(bytes.first(size), kind, origin);
}

std::string archive_kind(const std::string& path) {
  // What is read from a pipe cannot be read again by who wants the contents.
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return "";
  std::array<char, at_kind + kind_size> start{};
  std::ifstream file(path, std::ios::binary);
  if (!file.read(start.data(), start.size()) ||
      !std::equal(magic.begin(), magic.end(),
                  reinterpret_cast<const std::uint8_t*>(start.data()))) {
    return "";
  }
  const std::string kind(start.data() + at_kind, kind_size);
  return kind.c_str();
}

void write_archive(const std::string& path, const Archive& archive, std::string_view kind) {
  write_file(path, encode_archive(archive, kind));
}

Archive read_archive(const std::string& path, std::string_view kind) {
  // One byte past what the file says it has is enough to see that it has too many.
  const auto limit = [&](std::span<const std::uint8_t> start) {
    const Decoder decoder(start, kind, path);
    const std::size_t size = decoder.check_prelude();
    // Behind a binned table's archive there are more bytes.
    decoder.refuse_other_kind();
    return size < SIZE_MAX ? size + 1 : size;
  };
  return decode_archive(read_file(path, prelude, limit), kind, path);
}

}  // namespace tandem

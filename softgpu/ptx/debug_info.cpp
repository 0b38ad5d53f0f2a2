#include "softgpu/ptx/debug_info.hpp"

#include <cctype>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <utility>

namespace softgpu::ptx {
namespace {

using u8 = std::uint8_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

// What is not as DWARF has it, or of a form that is not read here.
struct Unknown : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The bytes of a section, and the symbols whose addresses stand in it.
struct Section {
  std::vector<u8> bytes;
  std::map<std::size_t, std::string> symbols;  // by the offset of the address
};

Section section_of(std::string_view text, std::string_view name) {
  Section section;
  const std::string head = ".section\t" + std::string(name);
  auto at = text.find(head);
  if (at == std::string_view::npos) return section;
  at = text.find('{', at);
  const auto end = text.find('}', at);
  if (at == std::string_view::npos || end == std::string_view::npos) return section;
  std::size_t width = 0;
  for (++at; at < end;) {
    const char c = text[at];
    if (std::isspace(static_cast<unsigned char>(c)) != 0 || c == ',') {
      ++at;
      continue;
    }
    auto stop = at;
    while (stop < end && std::isspace(static_cast<unsigned char>(text[stop])) == 0 &&
           text[stop] != ',') {
      ++stop;
    }
    const std::string word(text.substr(at, stop - at));
    at = stop;
    if (word == ".b8" || word == ".b16" || word == ".b32" || word == ".b64") {
      width = static_cast<std::size_t>(std::atoi(word.c_str() + 2)) / 8;
      continue;
    }
    const bool number = std::isdigit(static_cast<unsigned char>(word[0])) != 0 || word[0] == '-';
    // A difference of labels, or a label with something added: none of what is looked for here.
    const u64 value = number ? static_cast<u64>(std::strtoll(word.c_str(), nullptr, 0)) : 0;
    if (!number && word[0] != '.' && word[0] != '$' && word[0] != '+') {
      section.symbols[section.bytes.size()] = word;
    }
    if (word[0] == '+') continue;
    for (std::size_t i = 0; i < width; ++i) {
      section.bytes.push_back(i < 8 ? static_cast<u8>(value >> (8 * i)) : u8{0});
    }
  }
  return section;
}

class Reader {
 public:
  Reader(const std::vector<u8>& bytes, std::size_t at) : bytes_(bytes), at_(at) {}
  [[nodiscard]] std::size_t at() const { return at_; }
  void go_to(std::size_t at) { at_ = at; }
  [[nodiscard]] bool end() const { return at_ >= bytes_.size(); }
  u64 fixed(std::size_t size) {
    if (size > 8 || at_ + size > bytes_.size()) throw Unknown("a number ends too early");
    u64 value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= u64{bytes_[at_ + i]} << (8 * i);
    at_ += size;
    return value;
  }
  // LEB128 without a sign; of a negative number with one the low bits.
  u64 packed() {
    u64 value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const u64 byte = fixed(1);
      if (shift < 64) value |= (byte & 0x7fU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
  }
  std::string text() {
    std::string result;
    while (const u64 c = fixed(1)) result += static_cast<char>(c);
    return result;
  }
  void skip(u64 bytes) {
    if (bytes > bytes_.size() - at_) throw Unknown("a block ends too early");
    at_ += bytes;
  }

 private:
  const std::vector<u8>& bytes_;
  std::size_t at_;
};

// Names of the DWARF standard (version 2, section 7.5).
enum Tag : u64 {
  tag_array = 0x01,
  tag_class = 0x02,
  tag_member = 0x0d,
  tag_structure = 0x13,
  tag_typedef = 0x16,
  tag_union = 0x17,
  tag_inheritance = 0x1c,
  tag_subrange = 0x21,
  tag_base = 0x24,
  tag_constant = 0x26,
  tag_enumeration = 0x04,
  tag_pointer = 0x0f,
  tag_reference = 0x10,
  tag_variable = 0x34,
  tag_volatile = 0x35,
};
enum Attribute : u64 {
  at_location = 0x02,
  at_name = 0x03,
  at_byte_size = 0x0b,
  at_upper_bound = 0x2f,
  at_count = 0x37,
  at_member_location = 0x38,
  at_type = 0x49,
};
enum : u64 { op_address = 0x03, op_plus = 0x23 };

struct Abbreviation {
  u64 tag = 0;
  bool has_children = false;
  std::vector<std::pair<u64, u64>> attributes;  // and their forms
};

struct Entry {
  u64 tag = 0;
  std::string name;
  std::optional<u64> size;
  std::optional<u64> count;  // of elements of a subrange
  u64 type = 0;              // the offset of another entry; 0: none
  u64 offset = 0;            // of a member
  std::string symbol;        // of a variable, whose memory begins `offset` bytes into it
  std::vector<std::size_t> children;
};

std::map<u64, Abbreviation> abbreviations(const std::vector<u8>& bytes) {
  std::map<u64, Abbreviation> all;
  Reader in(bytes, 0);
  while (!in.end()) {
    const u64 code = in.packed();
    if (code == 0) break;
    Abbreviation& one = all[code];
    one.tag = in.packed();
    one.has_children = in.fixed(1) != 0;
    for (;;) {
      const u64 attribute = in.packed();
      const u64 form = in.packed();
      if (attribute == 0 && form == 0) break;
      one.attributes.emplace_back(attribute, form);
    }
  }
  return all;
}

class Information {
 public:
  Information(const Section& info, const std::map<u64, Abbreviation>& forms)
      : info_(info), forms_(forms) {
    Reader in(info.bytes, 0);
    const u64 length = in.fixed(4);
    const u64 version = in.fixed(2);
    if (version < 2 || version > 4) throw Unknown("another version of DWARF");
    (void)in.fixed(4);
    if (in.fixed(1) != 8) throw Unknown("addresses of another size");
    end_ = std::min<std::size_t>(info.bytes.size(), 4 + length);
    std::vector<std::size_t> parents;
    while (in.at() < end_) {
      const std::size_t offset = in.at();
      const u64 code = in.packed();
      if (code == 0) {
        if (!parents.empty()) parents.pop_back();
        continue;
      }
      const auto form = forms.find(code);
      if (form == forms.end()) throw Unknown("an entry without its form");
      Entry entry;
      entry.tag = form->second.tag;
      for (const auto& [attribute, how] : form->second.attributes) read(in, attribute, how, entry);
      if (!parents.empty()) entries_[parents.back()].children.push_back(offset);
      entries_[offset] = std::move(entry);
      if (form->second.has_children) parents.push_back(offset);
    }
  }

  [[nodiscard]] DebugArrays arrays() const {
    DebugArrays all;
    for (const auto& [offset, entry] : entries_) {
      if (entry.tag != tag_variable || entry.symbol.empty()) continue;
      collect(entry.type, entry.offset, entry.name, 0, all[entry.symbol]);
    }
    return all;
  }

 private:
  // A location, or the place of a member.
  void read_block(Reader& in, u64 bytes, u64 attribute, Entry& entry) {
    const std::size_t begin = in.at();
    if (bytes > info_.bytes.size() - begin) throw Unknown("a block ends too early");
    if (attribute == at_location && bytes >= 9 && in.fixed(1) == op_address) {
      const auto symbol = info_.symbols.find(in.at());
      (void)in.fixed(8);
      const bool whole = in.at() == begin + bytes;
      if (symbol != info_.symbols.end() && (whole || in.fixed(1) == op_plus)) {
        entry.symbol = symbol->second;
        entry.offset = whole ? 0 : in.packed();
      }
    } else if (attribute == at_member_location && bytes >= 2 && in.fixed(1) == op_plus) {
      entry.offset = in.packed();
    }
    in.go_to(begin + bytes);
  }
  void read(Reader& in, u64 attribute, u64 form, Entry& entry) {
    u64 value = 0;
    std::string text;
    switch (form) {
      case 0x01: value = in.fixed(8); break;  // an address
      case 0x03: return read_block(in, in.fixed(2), attribute, entry);
      case 0x04: return read_block(in, in.fixed(4), attribute, entry);
      case 0x05: value = in.fixed(2); break;
      case 0x06:
      case 0x0e:
      case 0x10:
      case 0x13:
      case 0x17: value = in.fixed(4); break;
      case 0x07:
      case 0x14: value = in.fixed(8); break;
      case 0x08: text = in.text(); break;
      case 0x09:
      case 0x18: return read_block(in, in.packed(), attribute, entry);
      case 0x0a: return read_block(in, in.fixed(1), attribute, entry);
      case 0x0b:
      case 0x0c:
      case 0x11: value = in.fixed(1); break;
      case 0x0d:
      case 0x0f:
      case 0x15: value = in.packed(); break;
      case 0x12: value = in.fixed(2); break;
      case 0x19: value = 1; break;
      default: throw Unknown("an attribute of an unknown form");
    }
    switch (attribute) {
      case at_name: entry.name = text; break;
      case at_byte_size: entry.size = value; break;
      case at_upper_bound: entry.count = value + 1; break;
      case at_count: entry.count = value; break;
      case at_member_location: entry.offset = value; break;
      case at_type: entry.type = value; break;
      default: break;
    }
  }

  [[nodiscard]] const Entry* entry(u64 offset) const {
    const auto found = entries_.find(offset);
    return found == entries_.end() ? nullptr : &found->second;
  }
  static constexpr int deepest = 16;

  [[nodiscard]] u64 size_of(u64 type, int depth) const {
    const Entry* const of = entry(type);
    if (of == nullptr || depth > deepest) return 0;
    switch (of->tag) {
      case tag_typedef:
      case tag_constant:
      case tag_volatile: return size_of(of->type, depth + 1);
      case tag_pointer:
      case tag_reference: return 8;
      case tag_array: {
        u64 size = size_of(of->type, depth + 1);
        for (const std::size_t child : of->children) {
          const Entry& one = entries_.at(child);
          if (one.tag == tag_subrange) size *= one.count.value_or(0);
        }
        return size;
      }
      default: return of->size.value_or(0);
    }
  }

  // The arrays in a variable or member of this type.
  void collect(u64 type, u64 at, const std::string& name, int depth,
               std::vector<DebugArray>& into) const {
    const Entry* const of = entry(type);
    if (of == nullptr || depth > deepest) return;
    switch (of->tag) {
      case tag_typedef:
      case tag_constant:
      case tag_volatile: return collect(of->type, at, name, depth + 1, into);
      case tag_array: {
        const u64 bytes = size_of(type, 0);
        if (bytes != 0) into.push_back({at, bytes, name});
        return;
      }
      case tag_class:
      case tag_structure:
        for (const std::size_t child : of->children) {
          const Entry& member = entries_.at(child);
          const bool base = member.tag == tag_inheritance;
          if (member.tag != tag_member && !base) continue;
          collect(member.type, at + member.offset, base ? name : name + "." + member.name,
                  depth + 1, into);
        }
        return;
      default: return;  // of a union any member may be meant
    }
  }

  const Section& info_;
  const std::map<u64, Abbreviation>& forms_;
  std::size_t end_ = 0;
  std::map<std::size_t, Entry> entries_;
};

}  // namespace

DebugArrays debug_arrays(std::string_view ptx_text) {
  const Section info = section_of(ptx_text, ".debug_info");
  if (info.bytes.empty()) return {};
  try {
    const auto forms = abbreviations(section_of(ptx_text, ".debug_abbrev").bytes);
    return Information(info, forms).arrays();
  } catch (const Unknown&) {
    return {};
  }
}

}  // namespace softgpu::ptx

// mma, wmma, ldmatrix, stmatrix, movmatrix. Fragments are laid out here by the formulas of the PTX
// ISA, element by element, and products are plain loops over matrices. Values are small whole
// numbers, so that every sum is exact in whatever order; a second test looks at rounding.
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "softgpu/kernel.hpp"

namespace softgpu::test {
namespace {

// --- types --------------------------------------------------------------------------------------

int width_of(const std::string& type) {
  if (type == "b1") return 1;
  if (type == "s4" || type == "u4") return 4;
  if (type == "s8" || type == "u8" || type == "e4m3" || type == "e5m2") return 8;
  if (type == "f16" || type == "bf16") return 16;
  return type == "f64" ? 64 : 32;
}

// Whole numbers that every type here holds exactly, within its own range.
int least_of(const std::string& type) {
  return type[0] == 'u' || type == "b1" ? 0 : type == "e5m2" ? -4 : -8;
}
int most_of(const std::string& type) {
  return type == "b1" ? 1 : type == "u4" ? 15 : type == "u8" ? 255 : type == "e5m2" ? 4 : 7;
}

// Bits of a whole number of small magnitude in a floating-point type.
u64 real_bits(double value, int exponent_bits, int mantissa_bits) {
  if (value == 0) return std::signbit(value) ? u64{1} << (exponent_bits + mantissa_bits) : 0;
  const u64 sign = value < 0 ? 1 : 0;
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);  // in [0.5, 1)
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const auto mantissa = static_cast<u64>(std::ldexp(fraction * 2 - 1, mantissa_bits));
  return (sign << (exponent_bits + mantissa_bits)) |
         (static_cast<u64>(exponent - 1 + bias) << mantissa_bits) | mantissa;
}

u64 encode(const std::string& type, double value) {
  if (type == "f16") return real_bits(value, 5, 10);
  if (type == "bf16") return real_bits(value, 8, 7);
  if (type == "f32" || type == "tf32") return real_bits(value, 8, 23);
  if (type == "f64") return real_bits(value, 11, 52);
  if (type == "e4m3") return real_bits(value, 4, 3);
  if (type == "e5m2") return real_bits(value, 5, 2);
  const u64 mask = width_of(type) == 64 ? ~u64{0} : (u64{1} << width_of(type)) - 1;
  return static_cast<u64>(static_cast<s64>(value)) & mask;
}

double decode(const std::string& type, u64 bits) {
  const auto real = [&](int exponent_bits, int mantissa_bits) {
    const u64 mantissa = bits & ((u64{1} << mantissa_bits) - 1);
    const auto exponent =
        static_cast<int>((bits >> mantissa_bits) & ((u64{1} << exponent_bits) - 1));
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const double magnitude =
        exponent == 0 ? std::ldexp(static_cast<double>(mantissa), 1 - bias - mantissa_bits)
                      : std::ldexp(static_cast<double>(mantissa | (u64{1} << mantissa_bits)),
                                   exponent - bias - mantissa_bits);
    return ((bits >> (exponent_bits + mantissa_bits)) & 1U) != 0 ? -magnitude : magnitude;
  };
  if (type == "f16") return real(5, 10);
  if (type == "bf16") return real(8, 7);
  if (type == "f32") return real(8, 23);
  if (type == "f64") return real(11, 52);
  return static_cast<s32>(static_cast<u32>(bits));
}

// --- fragments, as the PTX ISA writes them ------------------------------------------------------

struct Element {
  int row;
  int column;
};
using Layout = std::function<Element(int lane, int i)>;

struct Fragments {
  Layout a, b, c;
  int a_elements, b_elements, c_elements;  // of one lane
};

// PTX ISA 9.0, section 9.7.14.5, one subsection for each shape.
Fragments fragments_of(const std::string& shape, const std::string& type) {
  const auto c16 = [](int lane, int i) {
    return Element{lane / 4 + (i < 2 ? 0 : 8), lane % 4 * 2 + (i & 1)};
  };
  const auto c8 = [](int lane, int i) { return Element{lane / 4, lane % 4 * 2 + (i & 1)}; };
  if (shape == "m8n8k4" && type == "f64") {
    return {[](int l, int) {
              return Element{l >> 2, l % 4};
            },
            [](int l, int) {
              return Element{l % 4, l >> 2};
            },
            c8,
            1,
            1,
            2};
  }
  if (shape == "m16n8k4" && type == "tf32") {
    return {[](int l, int i) {
              return Element{(l >> 2) + (i == 0 ? 0 : 8), l % 4};
            },
            [](int l, int) {
              return Element{l % 4, l >> 2};
            },
            c16,
            2,
            1,
            4};
  }
  if (shape == "m16n8k8" && type == "tf32") {
    return {[](int l, int i) {
              return Element{(l >> 2) + (i == 0 || i == 2 ? 0 : 8), l % 4 + (i < 2 ? 0 : 4)};
            },
            [](int l, int i) {
              return Element{l % 4 + (i == 0 ? 0 : 4), l >> 2};
            },
            c16,
            4,
            2,
            4};
  }
  if (shape == "m16n8k8" && type != "f64") {
    return {[](int l, int i) {
              return Element{(l >> 2) + (i < 2 ? 0 : 8), l % 4 * 2 + (i & 1)};
            },
            [](int l, int i) {
              return Element{l % 4 * 2 + i, l >> 2};
            },
            c16,
            4,
            2,
            4};
  }
  if (shape == "m16n8k16" && (type == "f16" || type == "bf16")) {
    return {[](int l, int i) {
              const bool low = i < 2 || (i >= 4 && i < 6);
              return Element{(l >> 2) + (low ? 0 : 8), l % 4 * 2 + (i & 1) + (i < 4 ? 0 : 8)};
            },
            [](int l, int i) {
              return Element{l % 4 * 2 + (i & 1) + (i < 2 ? 0 : 8), l >> 2};
            },
            c16,
            8,
            4,
            4};
  }
  if (shape == "m16n8k4" || shape == "m16n8k8" || (shape == "m16n8k16" && type == "f64")) {
    const int k = shape == "m16n8k4" ? 4 : shape == "m16n8k8" ? 8 : 16;
    return {[](int l, int i) {
              return Element{(l >> 2) + (i % 2) * 8, l % 4 + 4 * (i / 2)};
            },
            [](int l, int i) {
              return Element{l % 4 + 4 * i, l >> 2};
            },
            c16,
            k / 2,
            k / 4,
            4};
  }
  if (shape == "m8n8k16") {
    return {[](int l, int i) {
              return Element{l >> 2, l % 4 * 4 + i};
            },
            [](int l, int i) {
              return Element{l % 4 * 4 + i, l >> 2};
            },
            c8,
            4,
            4,
            2};
  }
  if (shape == "m16n8k16") {
    return {[](int l, int i) {
              return Element{(l >> 2) + (i < 4 ? 0 : 8), l % 4 * 4 + (i & 3)};
            },
            [](int l, int i) {
              return Element{l % 4 * 4 + i, l >> 2};
            },
            c16,
            8,
            4,
            4};
  }
  if (shape == "m16n8k32" && width_of(type) == 8) {
    return {[](int l, int i) {
              const bool low = i < 4 || (i >= 8 && i < 12);
              return Element{(l >> 2) + (low ? 0 : 8), l % 4 * 4 + (i & 3) + (i < 8 ? 0 : 16)};
            },
            [](int l, int i) {
              return Element{l % 4 * 4 + (i & 3) + (i < 4 ? 0 : 16), l >> 2};
            },
            c16,
            16,
            8,
            4};
  }
  if (shape == "m8n8k32") {
    return {[](int l, int i) {
              return Element{l >> 2, l % 4 * 8 + i};
            },
            [](int l, int i) {
              return Element{l % 4 * 8 + i, l >> 2};
            },
            c8,
            8,
            8,
            2};
  }
  if (shape == "m16n8k32") {
    return {[](int l, int i) {
              return Element{(l >> 2) + (i < 8 ? 0 : 8), l % 4 * 8 + (i & 7)};
            },
            [](int l, int i) {
              return Element{l % 4 * 8 + (i & 7), l >> 2};
            },
            c16,
            16,
            8,
            4};
  }
  if (shape == "m16n8k64") {
    return {[](int l, int i) {
              const bool low = i < 8 || (i >= 16 && i < 24);
              return Element{(l >> 2) + (low ? 0 : 8), l % 4 * 8 + (i & 7) + (i < 16 ? 0 : 32)};
            },
            [](int l, int i) {
              return Element{l % 4 * 8 + (i & 7) + (i < 8 ? 0 : 32), l >> 2};
            },
            c16,
            32,
            16,
            4};
  }
  if (shape == "m8n8k128") {
    return {[](int l, int i) {
              return Element{l >> 2, l % 4 * 32 + i};
            },
            [](int l, int i) {
              return Element{l % 4 * 32 + i, l >> 2};
            },
            c8,
            32,
            32,
            2};
  }
  if (shape == "m16n8k128") {
    return {[](int l, int i) {
              return Element{(l >> 2) + (i < 32 ? 0 : 8), l % 4 * 32 + (i & 31)};
            },
            [](int l, int i) {
              return Element{l % 4 * 32 + i, l >> 2};
            },
            c16,
            64,
            32,
            4};
  }
  // m16n8k256
  return {[](int l, int i) {
            const bool low = i < 32 || (i >= 64 && i < 96);
            return Element{(l >> 2) + (low ? 0 : 8), l % 4 * 32 + (i & 31) + (i < 64 ? 0 : 128)};
          },
          [](int l, int i) {
            return Element{l % 4 * 32 + (i & 31) + (i < 32 ? 0 : 128), l >> 2};
          },
          c16,
          128,
          64,
          4};
}

// --- matrices -----------------------------------------------------------------------------------

struct Matrix {
  int rows;
  int columns;
  std::vector<double> values;
  Matrix(int r, int c)
      : rows(r), columns(c), values(static_cast<std::size_t>(r) * static_cast<std::size_t>(c)) {}
  double& at(int r, int c) {
    return values.at(static_cast<std::size_t>(r) * static_cast<std::size_t>(columns) +
                     static_cast<std::size_t>(c));
  }
  [[nodiscard]] double at(int r, int c) const { return const_cast<Matrix*>(this)->at(r, c); }
};

Matrix whole_numbers(int rows, int columns, const std::string& type, Random& random) {
  Matrix m(rows, columns);
  const int least = least_of(type);
  const auto span = static_cast<u64>(most_of(type) - least + 1);
  for (double& v : m.values) v = static_cast<double>(least) + static_cast<double>(random() % span);
  return m;
}

struct Dimensions {
  int m, n, k;
};
Dimensions dimensions_of(const std::string& shape) {
  Dimensions d{};
  std::sscanf(shape.c_str(), "m%dn%dk%d", &d.m, &d.n, &d.k);
  return d;
}

// Registers of 32 lanes each, as a kernel loads and stores them: register by register.
struct Registers {
  int lane_bytes;
  int count;
  std::vector<std::byte> bytes;
  Registers(int bytes_of_lane, int n)
      : lane_bytes(bytes_of_lane),
        count(n),
        bytes(static_cast<std::size_t>(bytes_of_lane * n) * 32) {}
  void put(int lane, int element, int width, u64 bits) {
    const int per = lane_bytes * 8 / width;
    std::byte* p = place(lane, element / per);
    u64 word = 0;
    std::memcpy(&word, p, static_cast<std::size_t>(lane_bytes));
    word |= bits << (element % per * width);
    std::memcpy(p, &word, static_cast<std::size_t>(lane_bytes));
  }
  [[nodiscard]] u64 get(int lane, int element, int width) {
    const int per = lane_bytes * 8 / width;
    u64 word = 0;
    std::memcpy(&word, place(lane, element / per), static_cast<std::size_t>(lane_bytes));
    word >>= element % per * width;
    return width == 64 ? word : word & ((u64{1} << width) - 1);
  }
  std::byte* place(int lane, int reg) {
    return bytes.data() + static_cast<std::size_t>((reg * 32 + lane) * lane_bytes);
  }
};

Registers pack(const Matrix& m, const Layout& layout, int elements, const std::string& type) {
  const int width = width_of(type);
  const int lane_bytes = width == 64 ? 8 : 4;
  Registers r(lane_bytes, std::max(1, elements * width / (lane_bytes * 8)));
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < elements; ++i) {
      const Element e = layout(lane, i);
      r.put(lane, i, width, encode(type, m.at(e.row, e.column)));
    }
  }
  return r;
}

// A kernel that loads registers, executes one instruction and stores registers.
std::string register_kernel(const std::string& before, const std::string& instruction,
                            const std::string& after, int d, int a, int b, int c, int lane_bytes) {
  const std::string type = lane_bytes == 8 ? "b64" : "b32";
  std::string text = module_head();
  text +=
      ".visible .entry test(.param .u64 pd, .param .u64 pa, .param .u64 pb, .param .u64 pc, "
      ".param .u32 meta)\n{\n  .reg .b32 %lane, %e;\n  .reg .b64 %base, %p;\n";
  text += "  .reg ." + type + " %d<" + std::to_string(d) + ">, %a<" + std::to_string(a) + ">, %b<" +
          std::to_string(b) + ">, %c<" + std::to_string(c) + ">;\n";
  text += "  mov.u32 %lane, %laneid;\n" + before;
  const auto each = [&](const std::string& name, int count, bool store) {
    text += "  ld.param.u64 %base, [p" + name + "];\n  mad.wide.u32 %p, %lane, " +
            std::to_string(lane_bytes) + ", %base;\n";
    for (int i = 0; i < count; ++i) {
      const std::string place = "[%p+" + std::to_string(i * 32 * lane_bytes) + "]";
      const std::string reg = "%" + name + std::to_string(i);
      text += store ? "  st.global." + type + " " + place + ", " + reg + ";\n"
                    : "  ld.global." + type + " " + reg + ", " + place + ";\n";
    }
  };
  each("a", a, false);
  each("b", b, false);
  each("c", c, false);
  text += "  " + instruction + "\n" + after;
  each("d", d, true);
  return text + "  ret;\n}\n";
}

std::string vector_of(const std::string& name, int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) text += (i == 0 ? "%" : ", %") + name + std::to_string(i);
  return text + "}";
}

// Every instruction set gives the same bits.
void run_registers(const std::string& text, Registers& d, const Registers& a, const Registers& b,
                   const Registers& c) {
  Buffer da(a.bytes.size());
  Buffer db(b.bytes.size());
  Buffer dc(c.bytes.size());
  std::memcpy(da.data(), a.bytes.data(), a.bytes.size());
  std::memcpy(db.data(), b.bytes.data(), b.bytes.size());
  std::memcpy(dc.data(), c.bytes.data(), c.bytes.size());
  bool first = true;
  for_each_instruction_set([&](const char* instruction_set) {
    Buffer dd(d.bytes.size());
    Program program({text}, 0);
    Parameters parameters;
    parameters.add(dd.address()).add(da.address()).add(db.address()).add(dc.address()).add(0U);
    const Fault fault = launch(program, "test", {1, 1, 1}, {32, 1, 1}, parameters);
    ASSERT_EQ(fault.code, 0) << fault.message << "\n" << text;
    if (first) std::memcpy(d.bytes.data(), dd.data(), d.bytes.size());
    first = false;
    EXPECT_EQ(std::memcmp(d.bytes.data(), dd.data(), d.bytes.size()), 0) << instruction_set;
  });
}

// D where all of the arithmetic is exact; integers modulo 2^32 or clamped.
Matrix product(const Matrix& a, const Matrix& b, const Matrix& c, const std::string& d_type,
               bool saturate, const std::string& bits = "") {
  Matrix d(a.rows, b.columns);
  for (int i = 0; i < d.rows; ++i) {
    for (int j = 0; j < d.columns; ++j) {
      double sum = c.at(i, j);
      for (int k = 0; k < a.columns; ++k) {
        const double x = a.at(i, k);
        const double y = b.at(k, j);
        sum += bits == "xor"   ? (x != y ? 1 : 0)
               : bits == "and" ? (x != 0 && y != 0 ? 1 : 0)
                               : x * y;
      }
      if (d_type == "s32") {
        if (saturate) {
          sum = std::min(std::max(sum, -2147483648.0), 2147483647.0);
        } else {
          sum = static_cast<s32>(static_cast<u32>(static_cast<s64>(sum)));
        }
      }
      d.at(i, j) = sum;
    }
  }
  return d;
}

struct Case {
  std::string shape, d, a, b, c;
  std::string bits = "";  // "xor" or "and"
  bool saturate = false;
};

void check_mma(const Case& test) {
  const Dimensions size = dimensions_of(test.shape);
  const Fragments fragments = fragments_of(test.shape, test.a);
  Random random(7);
  const std::string name = "mma.sync.aligned." + test.shape + ".row.col" +
                           (test.saturate ? ".satfinite" : "") + "." + test.d + "." + test.a + "." +
                           test.b + "." + test.c +
                           (test.bits.empty() ? "" : "." + test.bits + ".popc");
  SCOPED_TRACE(name);
  const Matrix a = whole_numbers(size.m, size.k, test.a, random);
  const Matrix b = whole_numbers(size.k, size.n, test.b, random);
  Matrix c = whole_numbers(size.m, size.n, "s8", random);
  if (test.c == "s32") {
    // Sums that leave 32 bits on both sides.
    for (double& v : c.values) {
      const u64 how = random() % 3;
      if (how == 0) v = 2147483647.0 - static_cast<double>(random() % 100);
      if (how == 1) v = -2147483648.0 + static_cast<double>(random() % 100);
    }
  }
  const Registers ra = pack(a, fragments.a, fragments.a_elements, test.a);
  const Registers rb = pack(b, fragments.b, fragments.b_elements, test.b);
  const Registers rc = pack(c, fragments.c, fragments.c_elements, test.c);
  Registers rd(rc.lane_bytes,
               std::max(1, fragments.c_elements * width_of(test.d) / (rc.lane_bytes * 8)));
  const std::string instruction = name + " " + vector_of("d", rd.count) + ", " +
                                  vector_of("a", ra.count) + ", " + vector_of("b", rb.count) +
                                  ", " + vector_of("c", rc.count) + ";";
  run_registers(
      register_kernel("", instruction, "", rd.count, ra.count, rb.count, rc.count, rc.lane_bytes),
      rd, ra, rb, rc);
  const Matrix want = product(a, b, c, test.d, test.saturate, test.bits);
  int wrong = 0;
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < fragments.c_elements; ++i) {
      const Element e = fragments.c(lane, i);
      const double got = decode(test.d, rd.get(lane, i, width_of(test.d)));
      if (got != want.at(e.row, e.column) && wrong++ < 3) {
        ADD_FAILURE() << "row " << e.row << ", column " << e.column << ": " << got << ", expected "
                      << want.at(e.row, e.column);
      }
    }
  }
}

TEST(Mma, Halves) {
  for (const char* d : {"f16", "f32"}) {
    for (const char* c : {"f16", "f32"}) {
      // mma.m16n8k8 and m16n8k16 take C and D of one type.
      if (std::string(d) != c) continue;
      check_mma({"m16n8k8", d, "f16", "f16", c});
      check_mma({"m16n8k16", d, "f16", "f16", c});
    }
  }
}
TEST(Mma, Bfloat16) {
  check_mma({"m16n8k8", "f32", "bf16", "bf16", "f32"});
  check_mma({"m16n8k16", "f32", "bf16", "bf16", "f32"});
}
TEST(Mma, Tf32) {
  check_mma({"m16n8k4", "f32", "tf32", "tf32", "f32"});
  check_mma({"m16n8k8", "f32", "tf32", "tf32", "f32"});
}
TEST(Mma, Doubles) {
  check_mma({"m8n8k4", "f64", "f64", "f64", "f64"});
  check_mma({"m16n8k4", "f64", "f64", "f64", "f64"});
  check_mma({"m16n8k8", "f64", "f64", "f64", "f64"});
  check_mma({"m16n8k16", "f64", "f64", "f64", "f64"});
}
TEST(Mma, EightBitFloats) {
  for (const char* a : {"e4m3", "e5m2"}) {
    for (const char* b : {"e4m3", "e5m2"}) check_mma({"m16n8k32", "f32", a, b, "f32"});
  }
}
TEST(Mma, EightBitIntegers) {
  for (const bool saturate : {false, true}) {
    for (const char* a : {"s8", "u8"}) {
      for (const char* b : {"s8", "u8"}) {
        for (const char* shape : {"m8n8k16", "m16n8k16", "m16n8k32"}) {
          check_mma({shape, "s32", a, b, "s32", "", saturate});
        }
      }
    }
  }
}
TEST(Mma, FourBitIntegers) {
  for (const bool saturate : {false, true}) {
    for (const char* a : {"s4", "u4"}) {
      for (const char* b : {"s4", "u4"}) {
        for (const char* shape : {"m8n8k32", "m16n8k32", "m16n8k64"}) {
          check_mma({shape, "s32", a, b, "s32", "", saturate});
        }
      }
    }
  }
}
TEST(Mma, Bits) {
  for (const char* operation : {"xor", "and"}) {
    for (const char* shape : {"m8n8k128", "m16n8k128", "m16n8k256"}) {
      check_mma({shape, "s32", "b1", "b1", "s32", operation});
    }
  }
}

// mma.m8n8k4 of halves: four products, each by four lanes of each half of the warp (PTX ISA 9.0,
// section 9.7.14.5.1).
TEST(Mma, QuadPairs) {
  for (const char* a_layout : {"row", "col"}) {
    for (const char* b_layout : {"row", "col"}) {
      for (const char* d_type : {"f16", "f32"}) {
        for (const char* c_type : {"f16", "f32"}) {
          if (std::string(d_type) == "f16" && std::string(c_type) == "f32") continue;
          const std::string name = std::string("mma.sync.aligned.m8n8k4.") + a_layout + "." +
                                   b_layout + "." + d_type + ".f16.f16." + c_type;
          SCOPED_TRACE(name);
          Random random(3);
          std::vector<Matrix> a, b, c;
          for (int q = 0; q < 4; ++q) {
            a.push_back(whole_numbers(8, 4, "s4", random));
            b.push_back(whole_numbers(4, 8, "s4", random));
            c.push_back(whole_numbers(8, 8, "s4", random));
          }
          const auto quad = [](int lane) { return static_cast<std::size_t>(lane % 16 / 4); };
          const auto a_at = [&](int l, int i) {
            const int shift = l < 16 ? 0 : 4;
            return a_layout == std::string("row") ? Element{l % 4 + shift, i}
                                                  : Element{i % 4 + shift, l % 4};
          };
          const auto b_at = [&](int l, int i) {
            const int shift = l < 16 ? 0 : 4;
            return b_layout == std::string("row") ? Element{l % 4, i + shift}
                                                  : Element{i, l % 4 + shift};
          };
          const auto c_at = [](const std::string& type, int l, int i) {
            const int shift = l < 16 ? 0 : 4;
            if (type == "f16") return Element{l % 4 + shift, i};
            return Element{(l & 1) + (i & 2) + shift, (i & 4) + (l & 2) + (i & 1)};
          };
          Registers ra(4, 2), rb(4, 2), rc(4, 8 * width_of(c_type) / 32);
          for (int l = 0; l < 32; ++l) {
            for (int i = 0; i < 4; ++i) {
              const Element ea = a_at(l, i);
              const Element eb = b_at(l, i);
              ra.put(l, i, 16, encode("f16", a[quad(l)].at(ea.row, ea.column)));
              rb.put(l, i, 16, encode("f16", b[quad(l)].at(eb.row, eb.column)));
            }
            for (int i = 0; i < 8; ++i) {
              const Element e = c_at(c_type, l, i);
              rc.put(l, i, width_of(c_type), encode(c_type, c[quad(l)].at(e.row, e.column)));
            }
          }
          Registers rd(4, 8 * width_of(d_type) / 32);
          run_registers(
              register_kernel("",
                              name + " " + vector_of("d", rd.count) + ", {%a0, %a1}, {%b0, %b1}, " +
                                  vector_of("c", rc.count) + ";",
                              "", rd.count, 2, 2, rc.count, 4),
              rd, ra, rb, rc);
          std::vector<Matrix> want;
          for (std::size_t q = 0; q < 4; ++q)
            want.push_back(product(a[q], b[q], c[q], d_type, false));
          for (int l = 0; l < 32; ++l) {
            for (int i = 0; i < 8; ++i) {
              const Element e = c_at(d_type, l, i);
              ASSERT_EQ(decode(d_type, rd.get(l, i, width_of(d_type))),
                        want[quad(l)].at(e.row, e.column))
                  << "lane " << l << ", element " << i;
            }
          }
        }
      }
    }
  }
}

// Random reals: within the bound of any order of summation in single precision.
TEST(Mma, RoundsWithinTheBoundOfASum) {
  Random random(11);
  std::normal_distribution<double> normal;
  const Fragments fragments = fragments_of("m16n8k16", "f16");
  Matrix a(16, 16), b(16, 8), c(16, 8);
  const auto half = [](double x) { return std::ldexp(std::nearbyint(std::ldexp(x, 8)), -8); };
  for (double& v : a.values) v = half(normal(random));
  for (double& v : b.values) v = half(normal(random));
  for (double& v : c.values) v = static_cast<float>(normal(random));
  const auto registers = [&](const Matrix& m, const Layout& layout, int elements, bool halves) {
    Registers r(4, halves ? elements / 2 : elements);
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < elements; ++i) {
        const Element e = layout(lane, i);
        const double v = m.at(e.row, e.column);
        r.put(lane, i, halves ? 16 : 32, halves ? encode("f16", v) : encode("f32", v));
      }
    }
    return r;
  };
  const Registers ra = registers(a, fragments.a, 8, true);
  const Registers rb = registers(b, fragments.b, 4, true);
  const Registers rc = registers(c, fragments.c, 4, false);
  Registers rd(4, 4);
  run_registers(register_kernel("",
                                "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%d0, %d1, %d2, "
                                "%d3}, {%a0, %a1, %a2, %a3}, {%b0, %b1}, {%c0, %c1, %c2, %c3};",
                                "", 4, 4, 2, 4, 4),
                rd, ra, rb, rc);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const Element e = fragments.c(lane, i);
      double sum = c.at(e.row, e.column);
      double size = std::fabs(sum);
      for (int k = 0; k < 16; ++k) {
        sum += a.at(e.row, k) * b.at(k, e.column);
        size += std::fabs(a.at(e.row, k) * b.at(k, e.column));
      }
      EXPECT_NEAR(decode("f32", rd.get(lane, i, 32)), sum, 17 * 0x1p-24 * size);
    }
  }
}

// --- sparse A -----------------------------------------------------------------------------------

// A has two of every four elements (one of two for tf32, two pairs of four for 4 bits). Its
// fragment is that of a dense matrix of half the columns. PTX ISA 9.0, section 9.7.14.6.
void check_sparse(const std::string& shape, const std::string& dense, const std::string& d,
                  const std::string& a_type, const std::string& b_type, const std::string& c_type,
                  int selector) {
  const Dimensions size = dimensions_of(shape);
  const std::string name = "mma.sp::ordered_metadata.sync.aligned." + shape + ".row.col." + d +
                           "." + a_type + "." + b_type + "." + c_type;
  SCOPED_TRACE(name);
  const Fragments kept = fragments_of(dense, a_type);
  Random random(13);
  const int width = width_of(a_type);
  const int unit = width == 32 ? 2 : width == 4 ? 8 : 4;
  Matrix chosen = whole_numbers(size.m, size.k / 2, a_type, random);
  const Matrix b = whole_numbers(size.k, size.n, b_type, random);
  const Matrix c = whole_numbers(size.m, size.n, "s4", random);
  Matrix a(size.m, size.k);
  // Bits that do not count are arbitrary.
  std::vector<u32> meta(32, 0);
  for (u32& word : meta) word = static_cast<u32>(random());
  for (int row = 0; row < size.m; ++row) {
    for (int u = 0; u < size.k / unit; ++u) {
      u32 bits = 0;
      if (width == 32) {
        const int which = static_cast<int>(random() % 2);
        bits = which == 0 ? 0x4 : 0xe;
        a.at(row, u * 2 + which) = chosen.at(row, u);
      } else {
        const int first = static_cast<int>(random() % 3);
        const int second = first + 1 + static_cast<int>(random() % static_cast<u64>(3 - first));
        bits = static_cast<u32>(first | second << 2);
        const int step = unit / 4;  // elements that go together
        for (int e = 0; e < step; ++e) {
          a.at(row, u * unit + first * step + e) = chosen.at(row, u * unit / 2 + e);
          a.at(row, u * unit + second * step + e) = chosen.at(row, u * unit / 2 + step + e);
        }
      }
      // 16-bit and wider types: 16 bits of row g and of row g + 8 in a lane; narrower ones: 32 bits
      // of one row.
      int lane = 0;
      int at = 0;
      if (width >= 16) {
        const int lanes_used = size.k / unit / 4;
        lane = row % 8 * 4 + selector * lanes_used + u / 4;
        at = (row / 8) * 16 + u % 4 * 4;
      } else {
        lane = row % 8 * 4 + selector * 2 + u / 8 * 2 + row / 8;
        at = u % 8 * 4;
      }
      u32& word = meta[static_cast<std::size_t>(lane)];
      word = (word & ~(15U << at)) | bits << at;
    }
  }
  const int per = 32 / width;
  const auto b_at = [&](int lane, int i) {
    return Element{lane % 4 * per + i % per + i / per * 4 * per, lane / 4};
  };
  const Registers ra = pack(chosen, kept.a, kept.a_elements, a_type);
  const Registers rb = pack(b, b_at, size.k / 4, b_type);
  const Registers rc = pack(c, kept.c, kept.c_elements, c_type);
  // The metadata travels as one more register of C.
  Registers carried(4, rc.count + 1);
  std::memcpy(carried.bytes.data(), rc.bytes.data(), rc.bytes.size());
  for (int lane = 0; lane < 32; ++lane) {
    std::memcpy(carried.place(lane, rc.count), &meta[static_cast<std::size_t>(lane)], 4);
  }
  Registers rd(4, std::max(1, kept.c_elements * width_of(d) / 32));
  const std::string instruction = name + " " + vector_of("d", rd.count) + ", " +
                                  vector_of("a", ra.count) + ", " + vector_of("b", rb.count) +
                                  ", " + vector_of("c", rc.count) + ", %c" +
                                  std::to_string(rc.count) + ", " + std::to_string(selector) + ";";
  const std::string text =
      register_kernel("", instruction, "", rd.count, ra.count, rb.count, rc.count + 1, 4);
  run_registers(text, rd, ra, rb, carried);
  const Matrix want = product(a, b, c, d, false);
  int wrong = 0;
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < kept.c_elements; ++i) {
      const Element e = kept.c(lane, i);
      const double got = decode(d, rd.get(lane, i, width_of(d)));
      if (got != want.at(e.row, e.column) && wrong++ < 3) {
        ADD_FAILURE() << "row " << e.row << ", column " << e.column << ": " << got << ", expected "
                      << want.at(e.row, e.column);
      }
    }
  }
}

TEST(SparseMma, AllTypes) {
  for (const std::string type : {"f16", "bf16"}) {
    for (int selector = 0; selector < 4; ++selector) {
      check_sparse("m16n8k16", "m16n8k8", "f32", type, type, "f32", selector);
    }
    for (int selector = 0; selector < 2; ++selector) {
      check_sparse("m16n8k32", "m16n8k16", "f32", type, type, "f32", selector);
    }
  }
  check_sparse("m16n8k16", "m16n8k8", "f16", "f16", "f16", "f16", 1);
  check_sparse("m16n8k32", "m16n8k16", "f16", "f16", "f16", "f16", 1);
  for (int selector = 0; selector < 4; ++selector) {
    check_sparse("m16n8k8", "m16n8k4", "f32", "tf32", "tf32", "f32", selector);
  }
  for (int selector = 0; selector < 2; ++selector) {
    check_sparse("m16n8k16", "m16n8k8", "f32", "tf32", "tf32", "f32", selector);
    check_sparse("m16n8k32", "m16n8k16", "s32", "s8", "u8", "s32", selector);
    check_sparse("m16n8k64", "m16n8k32", "s32", "u4", "s4", "s32", selector);
  }
  check_sparse("m16n8k64", "m16n8k32", "s32", "u8", "s8", "s32", 0);
  check_sparse("m16n8k128", "m16n8k64", "s32", "s4", "u4", "s32", 0);
  check_sparse("m16n8k64", "m16n8k32", "f32", "e4m3", "e5m2", "f32", 0);
}

// --- wmma ---------------------------------------------------------------------------------------

void store_element(std::byte* base, int width, std::size_t index, u64 bits) {
  if (width >= 8) {
    std::memcpy(base + index * static_cast<std::size_t>(width) / 8, &bits,
                static_cast<std::size_t>(width) / 8);
    return;
  }
  const std::size_t bit = index * static_cast<std::size_t>(width);
  base[bit / 8] |= static_cast<std::byte>(bits << (bit % 8));
}
u64 load_element(const std::byte* base, int width, std::size_t index) {
  u64 bits = 0;
  std::memcpy(&bits, base + index * static_cast<std::size_t>(width) / 8,
              static_cast<std::size_t>(width) / 8);
  return bits;
}

void fill(std::byte* base, const Matrix& m, const std::string& type, bool by_row, int stride) {
  for (int r = 0; r < m.rows; ++r) {
    for (int c = 0; c < m.columns; ++c) {
      const int index = by_row ? r * stride + c : c * stride + r;
      store_element(base, width_of(type), static_cast<std::size_t>(index),
                    encode(type, m.at(r, c)));
    }
  }
}

struct Wmma {
  std::string shape, d, a, b, c;
  int a_registers, b_registers, c_registers, d_registers;
  std::string suffix;          // the types in wmma.mma
  std::string operation = "";  // "xor" of bits
};

void check_wmma(const Wmma& test, bool a_row, bool b_row, bool c_row, bool d_row, bool shared) {
  const Dimensions size = dimensions_of(test.shape);
  SCOPED_TRACE(test.shape + " " + test.suffix + (a_row ? " row" : " col") +
               (b_row ? " row" : " col") + (c_row ? " row" : " col") + (d_row ? " row" : " col") +
               (shared ? " shared" : ""));
  Random random(5);
  const Matrix a = whole_numbers(size.m, size.k, test.a, random);
  const Matrix b = whole_numbers(size.k, size.n, test.b, random);
  const Matrix c = whole_numbers(size.m, size.n, "s4", random);
  // Wider than the matrix, in multiples of 16 bytes.
  const auto stride = [](int minor, int width) { return minor + (width >= 8 ? 128 / width : 0); };
  const int lda = stride(a_row ? size.k : size.m, width_of(test.a));
  const int ldb = stride(b_row ? size.n : size.k, width_of(test.b));
  const int ldc = stride(c_row ? size.n : size.m, width_of(test.c));
  const int ldd = stride(d_row ? size.n : size.m, width_of(test.d));
  Buffer memory(4 * 4096);
  fill(memory.data(), a, test.a, a_row, lda);
  fill(memory.data() + 4096, b, test.b, b_row, ldb);
  fill(memory.data() + 8192, c, test.c, c_row, ldc);

  const auto type_of = [](const std::string& type) {
    return type == "f64" ? "f64" : type == "f32" ? "f32" : "b32";
  };
  const auto layout = [](bool row) { return std::string(row ? "row" : "col"); };
  const std::string space = shared ? "shared" : "global";
  std::string text = module_head();
  text +=
      ".visible .entry test(.param .u64 memory)\n{\n  .reg .b64 %m, %pa, %pb, %pc, %pd, %t, %s;\n"
      "  .reg .b32 %i, %v;\n  .reg .pred %more;\n  .shared .align 128 .b8 copy[16384];\n";
  text += std::string("  .reg .") + type_of(test.a) + " %a<" + std::to_string(test.a_registers) +
          ">;\n";
  text += std::string("  .reg .") + type_of(test.b) + " %b<" + std::to_string(test.b_registers) +
          ">;\n";
  text += std::string("  .reg .") + type_of(test.c) + " %c<" + std::to_string(test.c_registers) +
          ">;\n";
  text += std::string("  .reg .") + type_of(test.d) + " %d<" + std::to_string(test.d_registers) +
          ">;\n";
  text += "  ld.param.u64 %m, [memory];\n";
  const auto copy = [&](const std::string& label, bool in) {
    text += "  mov.u32 %i, %tid.x;\n" + label +
            ":\n  mul.wide.u32 %t, %i, 4;\n"
            "  add.u64 %t, %t, %m;\n  mov.u64 %s, copy;\n  mad.wide.u32 %s, %i, 4, %s;\n";
    text += in ? "  ld.global.u32 %v, [%t];\n  st.shared.u32 [%s], %v;\n"
               : "  ld.shared.u32 %v, [%s];\n  st.global.u32 [%t], %v;\n";
    text += "  add.u32 %i, %i, 32;\n  setp.lt.u32 %more, %i, 4096;\n  @%more bra " + label +
            ";\n"
            "  bar.sync 0;\n";
  };
  if (shared) {
    copy("IN", true);
    text += "  mov.u64 %pa, copy;\n";
  } else {
    text += "  mov.u64 %pa, %m;\n";
  }
  text += "  add.u64 %pb, %pa, 4096;\n  add.u64 %pc, %pa, 8192;\n  add.u64 %pd, %pa, 12288;\n";
  const auto number = [](int n) { return std::to_string(n); };
  text += "  wmma.load.a.sync.aligned." + layout(a_row) + "." + test.shape + "." + space + "." +
          test.a + " " + vector_of("a", test.a_registers) + ", [%pa], " + number(lda) + ";\n";
  text += "  wmma.load.b.sync.aligned." + layout(b_row) + "." + test.shape + "." + space + "." +
          test.b + " " + vector_of("b", test.b_registers) + ", [%pb], " + number(ldb) + ";\n";
  text += "  wmma.load.c.sync.aligned." + layout(c_row) + "." + test.shape + "." + space + "." +
          test.c + " " + vector_of("c", test.c_registers) + ", [%pc], " + number(ldc) + ";\n";
  text += "  wmma.mma" + (test.operation.empty() ? "" : "." + test.operation + ".popc") +
          ".sync.aligned." + layout(a_row) + "." + layout(b_row) + "." + test.shape + "." +
          test.suffix + " " + vector_of("d", test.d_registers) + ", " +
          vector_of("a", test.a_registers) + ", " + vector_of("b", test.b_registers) + ", " +
          vector_of("c", test.c_registers) + ";\n";
  text += "  wmma.store.d.sync.aligned." + layout(d_row) + "." + test.shape + "." + space + "." +
          test.d + " [%pd], " + vector_of("d", test.d_registers) + ", " + number(ldd) + ";\n";
  if (shared) copy("OUT", false);
  text += "  ret;\n}\n";

  Program program({text}, 0);
  Parameters parameters;
  parameters.add(memory.address());
  const Fault fault = launch(program, "test", {1, 1, 1}, {32, 1, 1}, parameters);
  ASSERT_EQ(fault.code, 0) << fault.message;
  const Matrix want = product(a, b, c, test.d, false, test.operation);
  int wrong = 0;
  for (int r = 0; r < size.m; ++r) {
    for (int col = 0; col < size.n; ++col) {
      const int index = d_row ? r * ldd + col : col * ldd + r;
      const double got = decode(test.d, load_element(memory.data() + 12288, width_of(test.d),
                                                     static_cast<std::size_t>(index)));
      if (got != want.at(r, col) && wrong++ < 3) {
        ADD_FAILURE() << "row " << r << ", column " << col << ": " << got << ", expected "
                      << want.at(r, col);
      }
    }
  }
}

void check_wmma_layouts(const Wmma& test) {
  const bool small = width_of(test.a) < 8;
  for (int bits = 0; bits < 32; ++bits) {
    const bool a_row = (bits & 1) != 0;
    const bool b_row = (bits & 2) != 0;
    if (small && (!a_row || b_row)) continue;
    for_each_instruction_set([&](const char* instruction_set) {
      SCOPED_TRACE(instruction_set);
      check_wmma(test, a_row, b_row, (bits & 4) != 0, (bits & 8) != 0, (bits & 16) != 0);
    });
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Wmma, Halves) {
  for (const char* shape : {"m16n16k16", "m32n8k16", "m8n32k16"}) {
    check_wmma_layouts({shape, "f32", "f16", "f16", "f32", 8, 8, 8, 8, "f32.f32"});
    check_wmma_layouts({shape, "f16", "f16", "f16", "f16", 8, 8, 4, 4, "f16.f16"});
    check_wmma_layouts({shape, "f32", "f16", "f16", "f16", 8, 8, 4, 8, "f32.f16"});
    check_wmma_layouts({shape, "f16", "f16", "f16", "f32", 8, 8, 8, 4, "f16.f32"});
  }
}
TEST(Wmma, Bfloat16) {
  check_wmma_layouts({"m16n16k16", "f32", "bf16", "bf16", "f32", 4, 4, 8, 8, "f32.bf16.bf16.f32"});
  check_wmma_layouts({"m32n8k16", "f32", "bf16", "bf16", "f32", 8, 2, 8, 8, "f32.bf16.bf16.f32"});
  check_wmma_layouts({"m8n32k16", "f32", "bf16", "bf16", "f32", 2, 8, 8, 8, "f32.bf16.bf16.f32"});
}
TEST(Wmma, Tf32AndDoubles) {
  check_wmma_layouts({"m16n16k8", "f32", "tf32", "tf32", "f32", 4, 4, 8, 8, "f32.tf32.tf32.f32"});
  check_wmma_layouts({"m8n8k4", "f64", "f64", "f64", "f64", 1, 1, 2, 2, "f64.f64.f64.f64"});
}
TEST(Wmma, Integers) {
  for (const std::string type : {"s8", "u8"}) {
    const std::string suffix = "s32." + type + "." + type + ".s32";
    check_wmma_layouts({"m16n16k16", "s32", type, type, "s32", 2, 2, 8, 8, suffix});
    check_wmma_layouts({"m32n8k16", "s32", type, type, "s32", 4, 1, 8, 8, suffix});
    check_wmma_layouts({"m8n32k16", "s32", type, type, "s32", 1, 4, 8, 8, suffix});
  }
  for (const std::string type : {"s4", "u4"}) {
    check_wmma_layouts(
        {"m8n8k32", "s32", type, type, "s32", 1, 1, 2, 2, "s32." + type + "." + type + ".s32"});
  }
  check_wmma_layouts({"m8n8k128", "s32", "b1", "b1", "s32", 1, 1, 2, 2, "s32.b1.b1.s32", "xor"});
  check_wmma_layouts({"m8n8k128", "s32", "b1", "b1", "s32", 1, 1, 2, 2, "s32.b1.b1.s32", "and"});
}

// --- wgmma -------------------------------------------------------------------------------------

// How a matrix lies in shared memory (PTX ISA 9.0, section 9.7.15.5.1, "Shared memory matrix
// layout"): byte `c` of row `r`, where rows go along m or n and bytes along k (K-major), or rows go
// along k and bytes along m or n (MN-major).
struct SharedLayout {
  int span;  // 16 (no swizzle), 32, 64 or 128 bytes
  bool k_major;
  int leading;  // byte offsets of the descriptor
  int stride;
  [[nodiscard]] u64 mode() const { return span == 128 ? 1 : span == 64 ? 2 : span == 32 ? 3 : 0; }
  [[nodiscard]] int place(int r, int c) const {
    // Eight rows of `span` bytes are a unit, inside of which pieces of 16 bytes are exchanged.
    const int piece = c % span / 16;
    const int turned = span == 16 ? 0 : piece ^ (r % 8 / (128 / span));
    const int inside = r % 8 * span + turned * 16 + c % 16;
    const int across = c / span;
    const int down = r / 8;
    if (k_major) return down * stride + across * leading + inside;
    return (span == 16 ? across * stride + down * leading : across * leading + down * stride) +
           inside;
  }
};

void check_wgmma(const std::string& types, const std::string& a_type, const std::string& b_type,
                 const std::string& d_type, int n, const SharedLayout& la, const SharedLayout& lb,
                 bool a_in_registers, bool adds, int sign) {
  const int width = width_of(a_type);
  const int k = 256 / width;
  const std::string shape = "m64n" + std::to_string(n) + "k" + std::to_string(k);
  std::string name = "wgmma.mma_async.sync.aligned." + shape + "." + types;
  SCOPED_TRACE(name + (a_in_registers ? " registers" : "") + " A " + std::to_string(la.span) +
               (la.k_major ? " K" : " MN") + " B " + std::to_string(lb.span) +
               (lb.k_major ? " K" : " MN"));
  Random random(17);
  const Matrix a = whole_numbers(64, k, a_type, random);
  const Matrix b = whole_numbers(k, n, b_type, random);
  const Matrix c = whole_numbers(64, n, "s4", random);
  const bool halves = d_type == "f16";
  const int registers = n / (halves ? 4 : 2);

  // Image of shared memory: A at 0, B at 32768.
  Buffer image(65536);
  const auto put = [&](const SharedLayout& layout, int base, int along, int depth,
                       const std::string& type, double value) {
    const int bytes = width / 8;
    const int at = base + (layout.k_major ? layout.place(along, depth * bytes)
                                          : layout.place(depth, along * bytes));
    const u64 bits = encode(type, value);
    std::memcpy(image.data() + at, &bits, static_cast<std::size_t>(bytes));
  };
  for (int i = 0; i < 64; ++i) {
    for (int p = 0; p < k; ++p) put(la, 0, i, p, a_type, a.at(i, p));
  }
  for (int j = 0; j < n; ++j) {
    for (int p = 0; p < k; ++p) put(lb, 32768, j, p, b_type, b.at(p, j));
  }
  const auto descriptor = [](const SharedLayout& layout, u64 base) {
    return (base >> 4) | static_cast<u64>(layout.leading >> 4) << 16 |
           static_cast<u64>(layout.stride >> 4) << 32 | layout.mode() << 62;
  };
  // Registers of 128 threads: D's, then A's four.
  Buffer io(static_cast<std::size_t>((registers + 4) * 128 * 4));
  const auto d_at = [](int thread, int i) {
    return Element{thread / 32 * 16 + thread % 32 / 4 + (i % 4 < 2 ? 0 : 8),
                   i / 4 * 8 + thread % 4 * 2 + i % 2};
  };
  for (int thread = 0; thread < 128; ++thread) {
    for (int i = 0; i < n / 2; ++i) {
      const Element e = d_at(thread, i);
      const u64 bits = encode(d_type, c.at(e.row, e.column)) << (halves ? 16 * (i % 2) : 0);
      io.as<u32>()[(halves ? i / 2 : i) * 128 + thread] |= static_cast<u32>(bits);
    }
    if (a_in_registers) {
      const int per = 32 / width;
      for (int i = 0; i < 4 * per; ++i) {
        const int row = thread / 32 * 16 + thread % 32 / 4 + (i / per % 2) * 8;
        const int column = thread % 4 * per + i % per + i / per / 2 * 4 * per;
        io.as<u32>()[(registers + i / per) * 128 + thread] |=
            static_cast<u32>(encode(a_type, a.at(row, column)) << (i % per * width));
      }
    }
  }
  const bool real = d_type != "s32";
  std::string text = module_head();
  text += ".extern .shared .align 1024 .b8 tile[];\n";
  text +=
      ".visible .entry test(.param .u64 image, .param .u64 io)\n{\n  .reg .b64 %m, %p, %q, %da, "
      "%db;\n"
      "  .reg .b32 %t, %v, %s, %i;\n  .reg .pred %more, %adds;\n  .reg .b32 %d<128>, %a<4>;\n"
      "  ld.param.u64 %m, [image];\n  ld.param.u64 %p, [io];\n  mov.u32 %t, %tid.x;\n"
      "  mov.u32 %i, %t;\nCOPY:\n  mad.wide.u32 %q, %i, 4, %m;\n  ld.global.u32 %v, [%q];\n"
      "  mov.u32 %s, tile;\n  mad.lo.u32 %s, %i, 4, %s;\n  st.shared.u32 [%s], %v;\n"
      "  add.u32 %i, %i, 128;\n  setp.lt.u32 %more, %i, 16384;\n  @%more bra COPY;\n"
      "  fence.proxy.async;\n  bar.sync 0;\n  mad.wide.u32 %p, %t, 4, %p;\n";
  for (int i = 0; i < registers; ++i) {
    text += "  ld.global.b32 %d" + std::to_string(i) + ", [%p+" + std::to_string(512 * i) + "];\n";
  }
  for (int i = 0; i < 4; ++i) {
    text += "  ld.global.b32 %a" + std::to_string(i) + ", [%p+" +
            std::to_string(512 * (registers + i)) + "];\n";
  }
  // The address of the tile is added to the descriptors.
  text += "  mov.u32 %s, tile;\n  shr.u32 %s, %s, 4;\n  cvt.u64.u32 %q, %s;\n";
  text += "  mov.b64 %da, " + std::to_string(descriptor(la, 0)) + "U;\n  add.u64 %da, %da, %q;\n";
  text +=
      "  mov.b64 %db, " + std::to_string(descriptor(lb, 32768)) + "U;\n  add.u64 %db, %db, %q;\n";
  text += "  setp.ne.u32 %adds, " + std::string(adds ? "1" : "0") +
          ", 0;\n  wgmma.fence.sync.aligned;\n  ";
  text += name + " " + vector_of("d", registers) + ", " +
          (a_in_registers ? vector_of("a", 4) : "%da") + ", %db, %adds";
  if (real) {
    text += ", " + std::to_string(sign) + ", 1";
    if (width == 16) {
      if (!a_in_registers) text += la.k_major ? ", 0" : ", 1";
      text += lb.k_major ? ", 0" : ", 1";
    }
  }
  text += ";\n  wgmma.commit_group.sync.aligned;\n  wgmma.wait_group.sync.aligned 0;\n";
  for (int i = 0; i < registers; ++i) {
    text += "  st.global.b32 [%p+" + std::to_string(512 * i) + "], %d" + std::to_string(i) + ";\n";
  }
  text += "  ret;\n}\n";
  Program program({text}, 0);
  Parameters parameters;
  parameters.add(image.address()).add(io.address());
  const Fault fault = launch(program, "test", {1, 1, 1}, {128, 1, 1}, parameters, 65536);
  ASSERT_EQ(fault.code, 0) << fault.message;
  Matrix want = product(a, b, Matrix(64, n), d_type, false);
  int wrong = 0;
  for (int thread = 0; thread < 128; ++thread) {
    for (int i = 0; i < n / 2; ++i) {
      const Element e = d_at(thread, i);
      const u32 word = io.as<u32>()[(halves ? i / 2 : i) * 128 + thread];
      const double got = decode(d_type, halves ? (word >> (16 * (i % 2))) & 0xffffU : word);
      const double expected = sign * want.at(e.row, e.column) + (adds ? c.at(e.row, e.column) : 0);
      if (got != expected && wrong++ < 3) {
        ADD_FAILURE() << "row " << e.row << ", column " << e.column << ": " << got << ", expected "
                      << expected;
      }
    }
  }
}

TEST(WarpGroupMma, LayoutsOfSharedMemory) {
  // Rows of 8 lines follow each other; spans of more than 32 bytes hold more of k than is used.
  const SharedLayout plain_k{16, true, 128, 256};
  const SharedLayout span32{32, true, 16, 256};
  const SharedLayout span64{64, true, 16, 512};
  const SharedLayout span128{128, true, 16, 1024};
  for (const SharedLayout& la : {plain_k, span32, span64, span128}) {
    for (const SharedLayout& lb : {plain_k, span32, span64, span128}) {
      check_wgmma("f32.f16.f16", "f16", "f16", "f32", 16, la, lb, false, true, 1);
    }
  }
  // MN-major: 64 rows of A are 128 bytes; B has 32 columns.
  const SharedLayout a128{128, false, 4096, 1024};
  const SharedLayout a64{64, false, 1024, 512};
  const SharedLayout a32{32, false, 512, 256};
  const SharedLayout a16{16, false, 128, 256};
  const SharedLayout b64{64, false, 4096, 512};
  const SharedLayout b32{32, false, 512, 256};
  for (const SharedLayout& la : {a128, a64, a32, a16}) {
    for (const SharedLayout& lb : {b64, b32, a16}) {
      check_wgmma("f32.bf16.bf16", "bf16", "bf16", "f32", 32, la, lb, false, true, -1);
    }
  }
}

TEST(WarpGroupMma, Types) {
  const SharedLayout k{128, true, 16, 1024};
  for (const int n : {8, 64, 256}) {
    for (const bool registers : {false, true}) {
      for (const bool adds : {false, true}) {
        check_wgmma("f32.f16.f16", "f16", "f16", "f32", n, k, k, registers, adds, 1);
        check_wgmma("f16.f16.f16", "f16", "f16", "f16", n, k, k, registers, adds, -1);
        check_wgmma("f32.tf32.tf32", "tf32", "tf32", "f32", n, k, k, registers, adds, 1);
        check_wgmma("f32.e4m3.e5m2", "e4m3", "e5m2", "f32", n, k, k, registers, adds, 1);
        check_wgmma("s32.s8.u8", "s8", "u8", "s32", n, k, k, registers, adds, 1);
      }
    }
  }
}

// --- ldmatrix, stmatrix, movmatrix --------------------------------------------------------------

// PTX ISA 9.0, section 9.7.14.5.15: lane l has of row l / 4 the elements 2 (l % 4) and the next.
TEST(LoadMatrix, GivesEachLaneItsTwoElements) {
  for (const int count : {1, 2, 4}) {
    for (const bool transposed : {false, true}) {
      std::string text = module_head();
      text +=
          ".visible .entry test(.param .u64 pd, .param .u64 pa)\n{\n"
          "  .reg .b64 %pd, %pa, %t, %s;\n  .reg .b32 %lane, %v, %address, %d<4>;\n"
          "  .shared .align 16 .b8 tile[1024];\n"
          "  ld.param.u64 %pd, [pd];\n  ld.param.u64 %pa, [pa];\n  mov.u32 %lane, %laneid;\n"
          "  mov.u64 %s, tile;\n  mad.wide.u32 %s, %lane, 4, %s;\n"
          "  mad.wide.u32 %t, %lane, 4, %pa;\n";
      for (int i = 0; i < 8; ++i) {
        const std::string at = std::to_string(128 * i);
        text += "  ld.global.u32 %v, [%t+" + at + "];\n  st.shared.u32 [%s+" + at + "], %v;\n";
      }
      // Row r of matrix m lies at 16 · ((8 m + r) · 5 mod 32): out of order, to see whose address
      // counts.
      text +=
          "  bar.sync 0;\n  mul.lo.u32 %v, %lane, 5;\n  and.b32 %v, %v, 31;\n"
          "  mov.u32 %address, tile;\n  mad.lo.u32 %address, %v, 16, %address;\n";
      text += "  ldmatrix.sync.aligned.m8n8.x" + std::to_string(count) +
              (transposed ? ".trans" : "") + ".shared.b16 " + vector_of("d", count) +
              ", [%address];\n  mad.wide.u32 %t, %lane, 4, %pd;\n";
      for (int i = 0; i < count; ++i) {
        text +=
            "  st.global.u32 [%t+" + std::to_string(128 * i) + "], %d" + std::to_string(i) + ";\n";
      }
      text += "  ret;\n}\n";
      Buffer in(1024);
      Buffer out(512);
      for (int i = 0; i < 512; ++i) in.as<u16>()[i] = static_cast<u16>(1000 + i);
      Program program({text}, 0);
      Parameters parameters;
      parameters.add(out.address()).add(in.address());
      const Fault fault = launch(program, "test", {1, 1, 1}, {32, 1, 1}, parameters);
      ASSERT_EQ(fault.code, 0) << fault.message;
      const auto element = [&](int matrix, int row, int column) {
        return in.as<u16>()[8 * ((8 * matrix + row) * 5 % 32) + column];
      };
      for (int matrix = 0; matrix < count; ++matrix) {
        for (int lane = 0; lane < 32; ++lane) {
          for (int half = 0; half < 2; ++half) {
            const u16 got = out.as<u16>()[2 * (32 * matrix + lane) + half];
            const int major = lane / 4;
            const int minor = 2 * (lane % 4) + half;
            ASSERT_EQ(got,
                      transposed ? element(matrix, minor, major) : element(matrix, major, minor))
                << "x" << count << (transposed ? ".trans" : "") << " matrix " << matrix << " lane "
                << lane;
          }
        }
      }
    }
  }
}

TEST(StoreMatrix, IsTheInverseOfLoadMatrix) {
  for (const bool transposed : {false, true}) {
    const std::string trans = transposed ? ".trans" : "";
    std::string text = module_head();
    text +=
        ".visible .entry test(.param .u64 pd)\n{\n  .reg .b64 %pd, %t, %s;\n"
        "  .reg .b32 %lane, %v, %address, %d<4>;\n  .shared .align 16 .b8 tile[512];\n"
        "  ld.param.u64 %pd, [pd];\n  mov.u32 %lane, %laneid;\n  mov.u32 %address, tile;\n"
        "  mad.lo.u32 %address, %lane, 16, %address;\n";
    for (int i = 0; i < 4; ++i) {
      // Low half: 100 i + 2 lane; high half one more.
      text += "  mad.lo.u32 %v, %lane, 2, " + std::to_string(100 * i) + ";\n  mad.lo.u32 %d" +
              std::to_string(i) + ", %v, 65537, 65536;\n";
    }
    text += "  stmatrix.sync.aligned.m8n8.x4" + trans +
            ".shared.b16 [%address], {%d0, %d1, %d2, %d3};\n"
            "  bar.sync 0;\n  mov.u64 %s, tile;\n  mad.wide.u32 %s, %lane, 4, %s;\n"
            "  mad.wide.u32 %t, %lane, 4, %pd;\n";
    for (int i = 0; i < 4; ++i) {
      const std::string at = std::to_string(128 * i);
      text += "  ld.shared.u32 %v, [%s+" + at + "];\n  st.global.u32 [%t+" + at + "], %v;\n";
    }
    text += "  ret;\n}\n";
    Buffer out(512);
    Program program({text}, 0);
    Parameters parameters;
    parameters.add(out.address());
    const Fault fault = launch(program, "test", {1, 1, 1}, {32, 1, 1}, parameters);
    ASSERT_EQ(fault.code, 0) << fault.message;
    for (int matrix = 0; matrix < 4; ++matrix) {
      for (int row = 0; row < 8; ++row) {
        for (int column = 0; column < 8; ++column) {
          const int major = transposed ? column : row;
          const int minor = transposed ? row : column;
          const int lane = 4 * major + minor / 2;
          EXPECT_EQ(out.as<u16>()[64 * matrix + 8 * row + column],
                    100 * matrix + 2 * lane + minor % 2);
        }
      }
    }
  }
}

TEST(MoveMatrix, Transposes) {
  std::string text =
      register_kernel("", "movmatrix.sync.aligned.m8n8.trans.b16 %d0, %a0;", "", 1, 1, 1, 1, 4);
  Registers a(4, 1), none(4, 1), d(4, 1);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 2; ++i)
      a.put(lane, i, 16, static_cast<u64>(8 * (lane / 4) + 2 * (lane % 4) + i));
  }
  run_registers(text, d, a, none, none);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(d.get(lane, i, 16), static_cast<u64>(8 * (2 * (lane % 4) + i) + lane / 4));
    }
  }
}

// --- 8-bit floats -------------------------------------------------------------------------------

struct Small {
  const char* name;
  int exponent_bits, mantissa_bits;
  u32 largest, nan;
};
constexpr Small smalls[] = {{"e4m3", 4, 3, 0x7e, 0x7f}, {"e5m2", 5, 2, 0x7b, 0x7f}};

double value_of(const Small& type, u32 code) {
  const int bias = (1 << (type.exponent_bits - 1)) - 1;
  const auto mantissa = static_cast<double>(code & ((1U << type.mantissa_bits) - 1));
  const auto exponent = static_cast<int>((code & 0x7fU) >> type.mantissa_bits);
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, 1 - bias - type.mantissa_bits)
                                         : std::ldexp(mantissa + std::ldexp(1, type.mantissa_bits),
                                                      exponent - bias - type.mantissa_bits);
  return (code & 0x80U) != 0 ? -magnitude : magnitude;
}

// The nearest of all finite values, by looking at each; ties go to the even code.
u32 nearest(const Small& type, double x) {
  if (std::isnan(x)) return type.nan;
  const u32 sign = std::signbit(x) ? 0x80U : 0;
  if (std::fabs(x) >= value_of(type, type.largest)) return sign | type.largest;
  u32 best = 0;
  double distance = HUGE_VAL;
  for (u32 code = 0; code <= type.largest; ++code) {
    const double d = std::fabs(value_of(type, code) - std::fabs(x));
    if (d < distance || (d == distance && (code & 1U) == 0)) {
      distance = d;
      best = code;
    }
  }
  return sign | best;
}

Source interesting_floats() {
  Source source;
  for (const float x : {0.0F,     -0.0F,      1.0F,       -1.0F,    448.0F,     464.0F,  464.1F,
                        479.0F,   57344.0F,   61440.0F,   65536.0F, 1e30F,      -1e30F,  0x1p-9F,
                        0x1p-10F, 0x1.8p-10F, 0x1p-16F,   0x1p-17F, 0x1.8p-17F, 1.0625F, 1.1875F,
                        1e-40F,   HUGE_VALF,  -HUGE_VALF, NAN}) {
    u32 bits = 0;
    std::memcpy(&bits, &x, 4);
    source.corners.push_back(bits);
  }
  source.random = [](Random& random) {
    // Exponents around the range of both types.
    const u64 r = random();
    return u128{((r >> 32) & 0x807fffffU) | ((104 + (r & 63U) % 42) << 23)};
  };
  return source;
}

float float_of(u128 bits) {
  const auto b = static_cast<u32>(bits);
  float x = 0;
  std::memcpy(&x, &b, 4);
  return x;
}

TEST(Float8, FromFloats) {
  const auto inputs = tuples({interesting_floats(), interesting_floats()}, 4000);
  for (const Small& type : smalls) {
    const std::string name = std::string("cvt.rn.satfinite.") + type.name + "x2.f32 %d, %a, %b;";
    check({name, {"b16"}, {"f32", "f32"}}, inputs, [&](const Tuple& in) {
      return (nearest(type, static_cast<double>(float_of(in[0]))) << 8) |
             nearest(type, static_cast<double>(float_of(in[1])));
    });
    const std::string relu =
        std::string("cvt.rn.satfinite.relu.") + type.name + "x2.f32 %d, %a, %b;";
    check({relu, {"b16"}, {"f32", "f32"}}, inputs, [&](const Tuple& in) {
      const auto one = [&](u128 bits) {
        const auto x = static_cast<double>(float_of(bits));
        return x <= 0 ? 0U : nearest(type, x);
      };
      return (one(in[0]) << 8) | one(in[1]);
    });
  }
}

double half_value(u32 h) {
  const u32 exponent = (h >> 10) & 31U;
  const u32 mantissa = h & 0x3ffU;
  double x = 0;
  if (exponent == 31) {
    x = mantissa != 0 ? NAN : HUGE_VAL;
  } else {
    x = exponent == 0 ? std::ldexp(mantissa, -24)
                      : std::ldexp(mantissa + 1024.0, static_cast<int>(exponent) - 25);
  }
  return (h & 0x8000U) != 0 ? -x : x;
}

TEST(Float8, FromHalves) {
  std::vector<Tuple> inputs;
  for (u32 h = 0; h < 0x10000; h += 3) inputs.push_back({u128{h | ((h * 7919U) << 16)}, 0, 0, 0});
  for (const Small& type : smalls) {
    const std::string name = std::string("cvt.rn.satfinite.") + type.name + "x2.f16x2 %d, %a;";
    check({name, {"b16"}, {"b32"}}, inputs, [&](const Tuple& in) {
      const auto pair = static_cast<u32>(in[0]);
      const auto one = [&](u32 h) {
        const double x = half_value(h);
        return std::isnan(x) ? type.nan : nearest(type, x);
      };
      return (one(pair >> 16) << 8) | one(pair & 0xffffU);
    });
  }
}

TEST(Float8, ToHalvesExactly) {
  std::vector<Tuple> inputs;
  for (u32 code = 0; code < 0x10000; code += 17) inputs.push_back({u128{code}, 0, 0, 0});
  for (const Small& type : smalls) {
    const std::string name = std::string("cvt.rn.f16x2.") + type.name + "x2 %d, %a;";
    check_with(
        {name, {"b32"}, {"b16"}}, inputs, [&](const Tuple& in, const Results& got) -> std::string {
          for (int i = 0; i < 2; ++i) {
            const auto code = (static_cast<u32>(in[0]) >> (8 * i)) & 0xffU;
            const auto half = (static_cast<u32>(got[0]) >> (16 * i)) & 0xffffU;
            const bool nan = (code & 0x7fU) > type.largest &&
                             !(type.mantissa_bits == 2 && (code & 0x7fU) == 0x7c);
            const bool infinite = type.mantissa_bits == 2 && (code & 0x7fU) == 0x7c;
            const double x = half_value(half);
            const bool right = nan ? std::isnan(x)
                               : infinite
                                   ? std::isinf(x) && ((code >> 7) != 0) == (x < 0)
                                   : x == value_of(type, code) && (half >> 15) == (code >> 7);
            if (!right) return "the value of " + hex(code);
          }
          return {};
        });
  }
}

}  // namespace
}  // namespace softgpu::test

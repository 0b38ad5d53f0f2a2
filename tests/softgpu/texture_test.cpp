// Textures and surfaces: what `sample` computes against the formulas of the CUDA Programming Guide
// ("Texture Fetching"), and the instructions tex, tld4, txq, suld, sust, sured and suq.
#include "softgpu/texture/texture.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "softgpu/kernel.hpp"

namespace softgpu::test {
namespace {

// Texels of a test, kept as bytes.
struct Texels {
  std::vector<std::byte> bytes;
  Image image;
};

Texels floats(std::size_t width, std::size_t height, std::size_t depth, u8 channels = 1) {
  Texels t;
  t.image.format = {ChannelKind::real, channels, 32, false, false};
  t.image.width = width;
  t.image.height = height;
  t.image.depth = depth;
  t.image.row_bytes = width * 4 * channels;
  t.image.slice_bytes = t.image.row_bytes * height;
  t.bytes.resize(t.image.slice_bytes * depth);
  for (std::size_t i = 0; i < t.bytes.size() / 4; ++i) {
    const auto v = static_cast<float>(i * 37 % 101) - 50.0F;
    std::memcpy(t.bytes.data() + 4 * i, &v, 4);
  }
  t.image.data = t.bytes.data();
  return t;
}

double texel(const Texels& t, std::int64_t x, std::int64_t y = 0, std::int64_t z = 0) {
  float v = 0;
  std::memcpy(&v,
              t.bytes.data() + static_cast<std::size_t>(z) * t.image.slice_bytes +
                  static_cast<std::size_t>(y) * t.image.row_bytes +
                  static_cast<std::size_t>(x) * t.image.format.bytes(),
              4);
  return static_cast<double>(v);
}

Texture texture_of(const Texels& t, bool linear, AddressMode mode, bool normalized) {
  Texture texture;
  texture.levels.push_back(t.image);
  texture.linear = linear;
  for (auto& m : texture.address) m = mode;
  texture.normalized_coordinates = normalized;
  return texture;
}

float at(const Texture& texture, Geometry geometry, float x, float y = 0, float z = 0,
         u32 layer = 0) {
  SamplePoint point;
  point.geometry = geometry;
  point.at = {x, y, z};
  point.layer = layer;
  return std::bit_cast<float>(sample(texture, point)[0]);
}

// The texel that an index names after addressing; −1 for the border.
std::int64_t addressed(std::int64_t i, std::int64_t n, AddressMode mode) {
  if (mode == AddressMode::wrap) {
    while (i < 0) i += n;
    return i % n;
  }
  if (mode == AddressMode::mirror) {
    while (i < 0) i += 2 * n;
    i %= 2 * n;
    return i < n ? i : 2 * n - 1 - i;
  }
  if (mode == AddressMode::border) return i >= 0 && i < n ? i : -1;
  return i < 0 ? 0 : i >= n ? n - 1 : i;
}

TEST(Sample, EveryAddressModeInOneDimension) {
  // A power of two, so that normalized coordinates are exact.
  const Texels t = floats(16, 1, 1);
  for (const AddressMode mode :
       {AddressMode::wrap, AddressMode::clamp, AddressMode::mirror, AddressMode::border}) {
    for (const bool normalized : {false, true}) {
      for (const bool linear : {false, true}) {
        const Texture texture = texture_of(t, linear, mode, normalized);
        const bool periodic = mode == AddressMode::wrap || mode == AddressMode::mirror;
        const AddressMode used = periodic && !normalized ? AddressMode::clamp : mode;
        const auto value = [&](std::int64_t i) {
          const std::int64_t place = addressed(i, 16, used);
          return place < 0 ? 0.0 : texel(t, place);
        };
        for (int step = -64 * 16; step < 64 * 16; ++step) {
          const double x = step / 16.0;
          double want = value(static_cast<std::int64_t>(std::floor(x)));
          if (linear) {
            const double b = x - 0.5;
            const double i = std::floor(b);
            want = (1 - (b - i)) * value(static_cast<std::int64_t>(i)) +
                   (b - i) * value(static_cast<std::int64_t>(i) + 1);
          }
          const auto coordinate = static_cast<float>(normalized ? x / 16 : x);
          ASSERT_FLOAT_EQ(at(texture, Geometry::d1, coordinate), static_cast<float>(want))
              << "mode " << static_cast<int>(mode) << (normalized ? " normalized" : "")
              << (linear ? " linear" : "") << " at " << x;
        }
      }
    }
  }
}

TEST(Sample, WeightsHaveEightBits) {
  Texels t = floats(2, 1, 1);
  const float ends[2] = {0, 1};
  std::memcpy(t.bytes.data(), ends, 8);
  const Texture texture = texture_of(t, true, AddressMode::clamp, false);
  for (int i = 0; i <= 2560; ++i) {
    const double x = 0.5 + i / 2560.0;
    const auto got = static_cast<double>(at(texture, Geometry::d1, static_cast<float>(x)));
    EXPECT_EQ(got * 256, std::round(got * 256));
    EXPECT_NEAR(got, i / 2560.0, 0.5 / 256 + 1e-6);
  }
}

TEST(Sample, TwoAndThreeDimensionsAndLayers) {
  const Texels t = floats(9, 7, 5);
  const Texture texture = texture_of(t, true, AddressMode::clamp, false);
  Random random(2);
  for (int n = 0; n < 2000; ++n) {
    const auto coordinate = [&](int size) {
      return static_cast<double>(random() % static_cast<u64>((size + 4) * 256)) / 256 - 2;
    };
    const double p[3] = {coordinate(9), coordinate(7), coordinate(5)};
    double want2 = 0;
    double want3 = 0;
    const u32 layer = static_cast<u32>(random() % 7);  // beyond the last counts as the last
    for (int corner = 0; corner < 8; ++corner) {
      std::int64_t i[3];
      double weight3 = 1;
      double weight2 = 1;
      const std::int64_t size[3] = {9, 7, 5};
      for (int d = 0; d < 3; ++d) {
        const double base = std::floor(p[d] - 0.5);
        const double fraction = p[d] - 0.5 - base;
        const bool upper = ((corner >> d) & 1) != 0;
        i[d] = addressed(static_cast<std::int64_t>(base) + (upper ? 1 : 0), size[d],
                         AddressMode::clamp);
        weight3 *= upper ? fraction : 1 - fraction;
        if (d < 2) weight2 *= upper ? fraction : 1 - fraction;
      }
      want3 += weight3 * texel(t, i[0], i[1], i[2]);
      if (corner < 4) want2 += weight2 * texel(t, i[0], i[1], std::min<std::int64_t>(layer, 4));
    }
    const auto x = static_cast<float>(p[0]);
    const auto y = static_cast<float>(p[1]);
    EXPECT_NEAR(at(texture, Geometry::d3, x, y, static_cast<float>(p[2])), want3, 1e-4);
    EXPECT_NEAR(at(texture, Geometry::layered2, x, y, 0, layer), want2, 1e-4);
  }
}

// The middle of each face, and a point off it: the CUDA Programming Guide, table "Cubemap Fetch".
TEST(Sample, FacesOfACube) {
  const Texels t = floats(4, 4, 12);
  const Texture texture = texture_of(t, false, AddressMode::clamp, true);
  struct Direction {
    float x, y, z;
    int face;
    int column, row;
  };
  // s, t of the face in (-1, 1) are 0.25 and -0.75: column 2 (0.625 · 4), row 0 (0.125 · 4).
  const Direction all[] = {
      {1, 0.75F, -0.25F, 0, 2, 0}, {-1, 0.75F, 0.25F, 1, 2, 0}, {0.25F, 1, -0.75F, 2, 2, 0},
      {0.25F, -1, 0.75F, 3, 2, 0}, {0.25F, 0.75F, 1, 4, 2, 0},  {-0.25F, 0.75F, -1, 5, 2, 0},
  };
  for (const Direction& d : all) {
    for (const float length : {1.0F, 3.5F}) {
      const float x = d.x * length;
      const float y = d.y * length;
      const float z = d.z * length;
      EXPECT_EQ(static_cast<double>(at(texture, Geometry::cube, x, y, z)),
                texel(t, d.column, d.row, d.face));
      EXPECT_EQ(static_cast<double>(at(texture, Geometry::layered_cube, x, y, z, 1)),
                texel(t, d.column, d.row, 6 + d.face));
    }
  }
}

TEST(Sample, NumbersOutOfIntegers) {
  const auto one = [](ChannelKind kind, int bits, std::vector<u8> raw, bool srgb) {
    Texture texture;
    Image image;
    image.format = {kind, 1, static_cast<u8>(bits), false, srgb};
    image.width = 1;
    image.row_bytes = image.slice_bytes = image.format.bytes();
    image.data = reinterpret_cast<std::byte*>(raw.data());
    texture.levels.push_back(image);
    texture.normalized_values = true;
    SamplePoint point;
    point.at = {0.5F, 0, 0};
    const Channels c = sample(texture, point);
    EXPECT_EQ(c[1], 0U);
    EXPECT_EQ(std::bit_cast<float>(c[3]), 1.0F);  // what the format lacks
    return std::bit_cast<float>(c[0]);
  };
  EXPECT_EQ(one(ChannelKind::is_unsigned, 8, {255}, false), 1.0F);
  EXPECT_FLOAT_EQ(one(ChannelKind::is_unsigned, 8, {51}, false), 0.2F);
  EXPECT_EQ(one(ChannelKind::is_signed, 8, {0x80}, false), -1.0F);
  EXPECT_EQ(one(ChannelKind::is_signed, 8, {0x81}, false), -1.0F);
  EXPECT_FLOAT_EQ(one(ChannelKind::is_signed, 8, {127}, false), 1.0F);
  EXPECT_EQ(one(ChannelKind::is_unsigned, 16, {0xff, 0xff}, false), 1.0F);
  EXPECT_FLOAT_EQ(one(ChannelKind::is_signed, 16, {0x00, 0xc0}, false), -16384.0F / 32767);
  EXPECT_NEAR(one(ChannelKind::is_unsigned, 8, {188}, true), 0.5029, 1e-4);
  EXPECT_EQ(one(ChannelKind::real, 16, {0x00, 0x3e}, false), 1.5F);
}

TEST(Sample, IntegersAsTheyAre) {
  Texture texture;
  Image image;
  const std::int8_t raw[4] = {-3, 100, 7, -128};
  std::int8_t copy[4];
  std::memcpy(copy, raw, 4);
  image.format = {ChannelKind::is_signed, 4, 8, false, false};
  image.width = 1;
  image.row_bytes = image.slice_bytes = 4;
  image.data = reinterpret_cast<std::byte*>(copy);
  texture.levels.push_back(image);
  SamplePoint point;
  const Channels c = sample(texture, point);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(static_cast<s32>(c[i]), raw[i]);
}

TEST(Sample, LevelsOfAMipmap) {
  std::vector<Texels> levels;
  for (std::size_t i = 0; i < 3; ++i) {
    levels.push_back(floats(std::size_t{4} >> i, 1, 1));
    for (std::size_t k = 0; k < levels[i].bytes.size() / 4; ++k) {
      const auto v = static_cast<float>(10 * i);
      std::memcpy(levels[i].bytes.data() + 4 * k, &v, 4);
    }
  }
  Texture texture = texture_of(levels[0], true, AddressMode::clamp, true);
  texture.levels.push_back(levels[1].image);
  texture.levels.push_back(levels[2].image);
  texture.highest_level = 1.5F;
  const auto level = [&](float l) {
    SamplePoint point;
    point.at = {0.3F, 0, 0};
    point.level = l;
    return std::bit_cast<float>(sample(texture, point)[0]);
  };
  EXPECT_EQ(level(0.4F), 0);
  EXPECT_EQ(level(0.6F), 10);
  texture.linear_between_levels = true;
  EXPECT_FLOAT_EQ(level(0.25F), 2.5F);
  EXPECT_FLOAT_EQ(level(7), 15);
  texture.level_bias = -0.5F;
  EXPECT_FLOAT_EQ(level(1), 5);
  EXPECT_FLOAT_EQ(level(NAN), 0);
}

TEST(Sample, StrangeCoordinatesStayInside) {
  const Texels t = floats(5, 3, 2);
  for (const AddressMode mode :
       {AddressMode::wrap, AddressMode::clamp, AddressMode::mirror, AddressMode::border}) {
    for (const bool normalized : {false, true}) {
      for (const bool linear : {false, true}) {
        const Texture texture = texture_of(t, linear, mode, normalized);
        for (const float x : {NAN, HUGE_VALF, -HUGE_VALF, 3e38F, -3e38F, 1e10F, -0.0F, 0x1p-149F}) {
          for (const Geometry g : {Geometry::d1, Geometry::d2, Geometry::d3, Geometry::layered1,
                                   Geometry::layered2, Geometry::cube, Geometry::layered_cube}) {
            const float v = at(texture, g, x, -x, x, 0xffffffffU);
            EXPECT_LE(std::fabs(v), 51.0F);
          }
        }
      }
    }
  }
}

// --- instructions --------------------------------------------------------------------------------

Fault run(const std::string& text, const Parameters& parameters, u32 threads = 32) {
  Program program({text}, 0);
  return launch(program, "test", {1, 1, 1}, {threads, 1, 1}, parameters);
}

// Thread t executes `body` with %x = t, %f = t + 0.5 and stores %r0 to %r3.
std::string thread_kernel(const std::string& body) {
  return std::string(module_head()) +
         ".visible .entry test(.param .u64 handle, .param .u64 out)\n{\n"
         "  .reg .b64 %h, %p, %q<4>;\n  .reg .b32 %x, %y, %one, %two, %r<4>;\n"
         "  .reg .f32 %f, %g, %v<4>;\n  .reg .b16 %w<4>;\n"
         "  ld.param.u64 %h, [handle];\n  ld.param.u64 %p, [out];\n  mov.u32 %x, %tid.x;\n"
         "  mov.u32 %one, 1;\n  mov.u32 %two, 2;\n  mov.u32 %y, 1;\n"
         "  cvt.rn.f32.u32 %f, %x;\n  add.f32 %f, %f, 0f3F000000;\n  mov.f32 %g, 0f3FC00000;\n"
         "  mov.u32 %r0, 0;\n  mov.u32 %r1, 0;\n  mov.u32 %r2, 0;\n  mov.u32 %r3, 0;\n"
         "  mul.wide.u32 %q0, %x, 16;\n  add.u64 %p, %p, %q0;\n" +
         body + "  st.global.v4.u32 [%p], {%r0, %r1, %r2, %r3};\n  ret;\n}\n";
}
const std::string floats_to_registers =
    "  mov.b32 %r0, %v0;\n  mov.b32 %r1, %v1;\n  mov.b32 %r2, %v2;\n  mov.b32 %r3, %v3;\n";

struct Object {
  u64 handle;
  bool surface;
  Object(u64 h, bool s) : handle(h), surface(s) {}
  ~Object() { surface ? remove_surface(handle) : remove_texture(handle); }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
};

TEST(Tex, EveryGeometry) {
  const Texels t = floats(4, 4, 12, 2);
  const Object object(add_texture(texture_of(t, false, AddressMode::clamp, false)), false);
  struct Form {
    std::string text;
    std::function<std::array<std::int64_t, 3>(int)> place;  // of thread t
    bool sink_zero = false;
  };
  const auto clamped = [](int i) { return static_cast<std::int64_t>(std::min(i, 3)); };
  const std::vector<Form> forms = {
      {"tex.1d.v4.f32.f32 {%v0, %v1, %v2, %v3}, [%h, {%f}];",
       [&](int i) {
         return std::array<std::int64_t, 3>{clamped(i), 0, 0};
       }},
      {"tex.2d.v4.f32.f32 {%v0, %v1, %v2, %v3}, [%h, {%g, %f}];",
       [&](int i) {
         return std::array<std::int64_t, 3>{1, clamped(i), 0};
       }},
      {"tex.3d.v4.f32.f32 {%v0, %v1, %v2, %v3}, [%h, {%g, %g, %f, %f}];",
       [](int i) {
         return std::array<std::int64_t, 3>{1, 1, std::min(i, 11)};
       }},
      {"tex.a1d.v4.f32.f32 {%v0, %v1, %v2, %v3}, [%h, {%x, %g}];",
       [](int i) {
         return std::array<std::int64_t, 3>{1, 0, std::min(i, 11)};
       }},
      {"tex.a2d.v4.f32.f32 {%v0, %v1, %v2, %v3}, [%h, {%x, %g, %f, %f}];",
       [&](int i) {
         return std::array<std::int64_t, 3>{1, clamped(i), std::min(i, 11)};
       }},
      {"tex.level.2d.v4.f32.f32 {%v0, %v1, %v2, %v3}, [%h, {%g, %f}], %f;",
       [&](int i) {
         return std::array<std::int64_t, 3>{1, clamped(i), 0};
       }},
      {"tex.grad.2d.v4.f32.f32 {%v0, %v1, %v2, %v3}, [%h, {%g, %f}], {%f, %g}, {%g, %f};",
       [&](int i) {
         return std::array<std::int64_t, 3>{1, clamped(i), 0};
       }},
      {"tex.2d.v4.f32.s32 {%v0, %v1, %v2, %v3}, [%h, {%one, %x}];",
       [](int i) {
         return std::array<std::int64_t, 3>{1, i, 0};
       },
       true},
      {"tex.3d.v4.f32.s32 {%v0, %v1, %v2, %v3}, [%h, {%one, %two, %x, %x}];",
       [](int i) {
         return std::array<std::int64_t, 3>{1, 2, i};
       },
       true},
  };
  for (const Form& form : forms) {
    Buffer out(32 * 16);
    Parameters parameters;
    parameters.add(object.handle).add(out.address());
    const Fault fault =
        run(thread_kernel("  " + form.text + "\n" + floats_to_registers), parameters);
    ASSERT_EQ(fault.code, 0) << fault.message;
    for (int i = 0; i < 32; ++i) {
      const auto p = form.place(i);
      const bool outside = form.sink_zero && (p[1] > 3 || p[2] > 11);
      EXPECT_EQ(static_cast<double>(out.as<float>()[4 * i]),
                outside ? 0 : texel(t, p[0], p[1], p[2]))
          << form.text << " thread " << i;
    }
  }
}

// The instruction takes a whole warp at once where it can, and has to give what sample() gives for
// each lane alone, to the last bit.
TEST(Tex, WholeWarpsGiveTheBitsOfSingleLanes) {
  struct Kind {
    ChannelKind kind;
    u8 bits;
    bool normalized;  // read as floats
  };
  static constexpr Kind kinds[] = {
      {ChannelKind::real, 32, false},        {ChannelKind::real, 16, false},
      {ChannelKind::is_unsigned, 8, true},   {ChannelKind::is_unsigned, 8, false},
      {ChannelKind::is_signed, 8, true},     {ChannelKind::is_signed, 8, false},
      {ChannelKind::is_unsigned, 16, true},  {ChannelKind::is_unsigned, 16, false},
      {ChannelKind::is_signed, 16, true},    {ChannelKind::is_signed, 16, false},
      {ChannelKind::is_unsigned, 32, false}, {ChannelKind::is_signed, 32, false}};
  constexpr u32 threads = 32 * 23 + 13;
  constexpr std::size_t width = 13;
  constexpr std::size_t height = 7;
  Random random(5);
  Buffer coordinates(threads * 8);
  Buffer out(threads * 16);
  const auto text = [](bool two, bool whole) {
    return std::string(module_head()) +
           ".visible .entry test(.param .u64 handle, .param .u64 at, .param .u64 out)\n{\n"
           "  .reg .b64 %h, %p, %o, %k;\n  .reg .b32 %i, %t, %x, %y, %r<4>;\n"
           "  ld.param.u64 %h, [handle];\n  ld.param.u64 %p, [at];\n  ld.param.u64 %o, [out];\n"
           "  mov.u32 %i, %ctaid.x;\n  mov.u32 %t, %tid.x;\n  mad.lo.u32 %i, %i, 64, %t;\n"
           "  .reg .pred %q;\n  setp.ge.u32 %q, %i, " +
           std::to_string(threads) +
           ";\n  @%q bra DONE;\n"
           "  mul.wide.u32 %k, %i, 8;\n  add.u64 %p, %p, %k;\n  add.u64 %o, %o, %k;\n"
           "  add.u64 %o, %o, %k;\n  ld.global.v2.b32 {%x, %y}, [%p];\n  tex." +
           (two ? "2d" : "1d") + ".v4.u32." + (whole ? "s32" : "f32") +
           " {%r0, %r1, %r2, %r3}, [%h, {%x" + (two ? ", %y" : "") +
           "}];\n  st.global.v4.b32 [%o], {%r0, %r1, %r2, %r3};\nDONE:\n  ret;\n}\n";
  };
  for (const Kind& kind : kinds) {
    for (const u8 channels : {u8{1}, u8{2}, u8{4}}) {
      Texels t;
      t.image.format = {kind.kind, channels, kind.bits, false, false};
      t.image.width = width;
      t.image.height = height;
      t.image.row_bytes = width * t.image.format.bytes() + 16;
      t.image.slice_bytes = t.image.row_bytes * height;
      t.bytes.resize(t.image.slice_bytes);
      for (std::byte& b : t.bytes) b = static_cast<std::byte>(random());
      if (kind.kind == ChannelKind::real) {
        // Numbers of every size, and an infinity, which a weight of zero must not touch.
        for (std::size_t i = 0; i + 4 <= t.bytes.size(); i += 4) {
          const u32 word = static_cast<u32>(random());
          float v = (static_cast<float>(word & 0xffffU) - 32768.0F) *
                    std::exp2(static_cast<float>(word >> 28) - 16);
          if (i == 64) v = std::numeric_limits<float>::infinity();
          const u32 halves = (word & 0x7bff7bffU) | (word & 0x80008000U);
          std::memcpy(t.bytes.data() + i, kind.bits == 32 ? static_cast<const void*>(&v) : &halves,
                      4);
        }
      }
      t.image.data = t.bytes.data();
      for (const AddressMode mode :
           {AddressMode::wrap, AddressMode::clamp, AddressMode::mirror, AddressMode::border}) {
        for (int how = 0; how < 12; ++how) {
          const bool linear = (how & 1) != 0;
          const bool normalized = (how & 2) != 0;
          const bool two = how % 3 != 0;
          const bool whole = how >= 10;
          Texture texture = texture_of(t, linear, mode, normalized);
          texture.normalized_values = kind.normalized;
          for (float& b : texture.border) b = 0.25F;
          std::vector<SamplePoint> points(threads);
          for (u32 i = 0; i < threads; ++i) {
            SamplePoint& point = points[i];
            point.geometry = two ? Geometry::d2 : Geometry::d1;
            point.whole = whole;
            // Most warps stay inside or near; some lead far out.
            const bool far = i / 32 % 5 == 4;
            const double spread = far ? 1e9 : i / 32 % 5 == 3 ? 3 : 1;
            for (std::size_t k = 0; k < 2; ++k) {
              const auto u = static_cast<double>(random() % 65536) / 65536;
              const double extent = normalized ? 1 : static_cast<double>(k == 0 ? width : height);
              float x = static_cast<float>(((u - 0.5) * spread + 0.5) * extent);
              if (random() % 16 == 0) x = std::floor(x * 2) / 2;
              if (far && i % 7 == 0)
                x = i % 2 == 0 ? std::numeric_limits<float>::quiet_NaN()
                               : -std::numeric_limits<float>::infinity();
              point.at[k] = x;
              point.texel[k] = static_cast<s32>(random() % (k == 0 ? width : height)) +
                               (far && i % 5 == 0 ? 9 : 0);
              std::memcpy(coordinates.data() + i * 8 + k * 4,
                          whole ? static_cast<const void*>(&point.texel[k]) : &point.at[k], 4);
            }
            if (!two) point.at[1] = 0, point.texel[1] = 0;
          }
          const Object object(add_texture(texture), false);
          for_each_instruction_set([&](const char* set) {
            std::memset(out.data(), 0xa5, out.bytes());
            Program program({text(two, whole)}, 0);
            Parameters parameters;
            parameters.add(object.handle).add(coordinates.address()).add(out.address());
            const Fault fault =
                launch(program, "test", {(threads + 63) / 64, 1, 1}, {64, 1, 1}, parameters);
            ASSERT_EQ(fault.code, 0) << fault.message;
            for (u32 i = 0; i < threads; ++i) {
              const Channels want = sample(texture, points[i]);
              for (std::size_t c = 0; c < 4; ++c) {
                ASSERT_EQ(out.as<u32>()[4 * i + c], want[c])
                    << set << " kind " << static_cast<int>(kind.kind) << " bits " << int{kind.bits}
                    << " channels " << int{channels} << " mode " << static_cast<int>(mode)
                    << (linear ? " linear" : "") << (normalized ? " normalized" : "")
                    << (two ? " 2d" : " 1d") << (whole ? " whole" : "") << " at " << points[i].at[0]
                    << ", " << points[i].at[1] << " channel " << c;
              }
            }
          });
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(Tex, ACubeAndItsLayers) {
  const Texels t = floats(4, 4, 12);
  const Object object(add_texture(texture_of(t, false, AddressMode::clamp, true)), false);
  for (const bool layered : {false, true}) {
    Buffer out(32 * 16);
    Parameters parameters;
    parameters.add(object.handle).add(out.address());
    // Direction (−10, 1.5, 0.5 …): the face −x.
    const std::string direction = "  mov.f32 %v0, 0fC1200000;\n";
    const Fault fault = run(
        thread_kernel(
            direction +
            (layered ? "  tex.acube.v4.f32.f32 {%v0, %v1, %v2, %v3}, [%h, {%one, %v0, %g, %g}];\n"
                     : "  tex.cube.v4.f32.f32 {%v0, %v1, %v2, %v3}, [%h, {%v0, %g, %g, %g}];\n") +
            floats_to_registers),
        parameters, 1);
    ASSERT_EQ(fault.code, 0) << fault.message;
    // s = (1.5 / 10 + 1) / 2, t = (−1.5 / 10 + 1) / 2: column 2, row 1.
    EXPECT_EQ(static_cast<double>(out.as<float>()[0]), texel(t, 2, 1, layered ? 7 : 1));
  }
}

TEST(Tex, GathersInOrder) {
  const Texels t = floats(4, 4, 1, 2);
  const Object object(add_texture(texture_of(t, false, AddressMode::clamp, false)), false);
  Buffer out(32 * 16);
  Parameters parameters;
  parameters.add(object.handle).add(out.address());
  const Fault fault =
      run(thread_kernel("  mov.f32 %v0, 0f40000000;\n"
                        "  tld4.g.2d.v4.f32.f32 {%v0, %v1, %v2, %v3}, [%h, {%v0, %v0}];\n" +
                        floats_to_registers),
          parameters, 1);
  ASSERT_EQ(fault.code, 0) << fault.message;
  const auto second = [&](std::size_t x, std::size_t y) {
    float v = 0;
    std::memcpy(&v, t.bytes.data() + y * t.image.row_bytes + x * 8 + 4, 4);
    return v;
  };
  // Between texels 1 and 2 both ways.
  EXPECT_EQ(out.as<float>()[0], second(1, 2));
  EXPECT_EQ(out.as<float>()[1], second(2, 2));
  EXPECT_EQ(out.as<float>()[2], second(2, 1));
  EXPECT_EQ(out.as<float>()[3], second(1, 1));
}

TEST(Tex, AHandleThatIsNoneAndMemoryThatIsGone) {
  Buffer out(32 * 16);
  const std::string text = thread_kernel("  tex.1d.v4.f32.s32 {%v0, %v1, %v2, %v3}, [%h, {%x}];\n" +
                                         floats_to_registers);
  Parameters none;
  none.add(u64{0}).add(out.address());
  EXPECT_NE(run(text, none).code, 0);
  Buffer memory(32 * 4);
  Texture texture;
  Image image;
  image.format = {ChannelKind::real, 1, 32, false, false};
  image.width = 32;
  image.row_bytes = image.slice_bytes = 128;
  image.data = memory.data();
  image.foreign = true;
  texture.levels.push_back(image);
  const Object object(add_texture(texture), false);
  Parameters parameters;
  parameters.add(object.handle).add(out.address());
  EXPECT_EQ(run(text, parameters).code, 0);
  memory.release();
  EXPECT_EQ(run(text, parameters).code, 700);
}

TEST(Tex, Queries) {
  const Texels t = floats(9, 7, 5);
  const Object texture(add_texture(texture_of(t, true, AddressMode::mirror, true)), false);
  const Object surface(add_surface({t.image, nullptr}), true);
  Buffer out(32 * 16);
  Parameters parameters;
  parameters.add(texture.handle).add(out.address());
  Fault fault =
      run(thread_kernel("  txq.width.b32 %r0, [%h];\n  txq.height.b32 %r1, [%h];\n"
                        "  txq.depth.b32 %r2, [%h];\n  txq.normalized_coords.b32 %r3, [%h];\n"),
          parameters, 1);
  ASSERT_EQ(fault.code, 0) << fault.message;
  const u32 want[4] = {9, 7, 5, 1};
  EXPECT_EQ(std::memcmp(out.data(), want, sizeof want), 0);
  Parameters surfaces;
  surfaces.add(surface.handle).add(out.address());
  fault = run(thread_kernel("  suq.width.b32 %r0, [%h];\n  suq.height.b32 %r1, [%h];\n"
                            "  suq.depth.b32 %r2, [%h];\n  mov.u32 %r3, 1;\n"),
              surfaces, 1);
  ASSERT_EQ(fault.code, 0) << fault.message;
  EXPECT_EQ(std::memcmp(out.data(), want, sizeof want), 0);
}

// --- surfaces ------------------------------------------------------------------------------------

// 16 bytes a texel, 8 texels a row, 4 rows, 3 slices; byte i is i modulo 251.
Texels bytes_of_surface() {
  Texels t;
  t.image.format = {ChannelKind::is_unsigned, 4, 32, false, false};
  t.image.width = 8;
  t.image.height = 4;
  t.image.depth = 3;
  t.image.row_bytes = 128;
  t.image.slice_bytes = 512;
  t.bytes.resize(1536);
  for (std::size_t i = 0; i < t.bytes.size(); ++i) t.bytes[i] = static_cast<std::byte>(i % 251);
  t.image.data = t.bytes.data();
  return t;
}

TEST(Surface, LoadsOfEverySize) {
  const Texels t = bytes_of_surface();
  const Object object(add_surface({t.image, nullptr}), true);
  struct Size {
    const char* type;
    int bytes;
    int count;
    std::string registers;
    std::string after;
  };
  const std::string from_halves =
      "  cvt.u32.u16 %r0, %w0;\n  cvt.u32.u16 %r1, %w1;\n  cvt.u32.u16 %r2, %w2;\n  cvt.u32.u16 "
      "%r3, %w3;\n";
  const std::string clear =
      "  mov.b16 %w0, 0;\n  mov.b16 %w1, 0;\n  mov.b16 %w2, 0;\n  mov.b16 %w3, 0;\n";
  const Size sizes[] = {
      {"b8", 1, 1, "{%w0}", from_halves},
      {"v2.b8", 1, 2, "{%w0, %w1}", from_halves},
      {"v4.b8", 1, 4, "{%w0, %w1, %w2, %w3}", from_halves},
      {"b16", 2, 1, "{%w0}", from_halves},
      {"v4.b16", 2, 4, "{%w0, %w1, %w2, %w3}", from_halves},
      {"b32", 4, 1, "{%r0}", ""},
      {"v2.b32", 4, 2, "{%r0, %r1}", ""},
      {"v4.b32", 4, 4, "{%r0, %r1, %r2, %r3}", ""},
      {"b64", 8, 1, "{%q0}", "  mov.b64 {%r0, %r1}, %q0;\n"},
      {"v2.b64", 8, 2, "{%q0, %q1}", "  mov.b64 {%r0, %r1}, %q0;\n  mov.b64 {%r2, %r3}, %q1;\n"},
  };
  struct Place {
    std::string geometry;
    std::string coordinates;  // x is %y
    std::size_t start;
  };
  const Place places[] = {
      {"1d", "{%y}", 0},
      {"2d", "{%y, %one}", 128},
      {"3d", "{%y, %one, %two, %two}", 1024 + 128},
      {"a1d", "{%two, %y}", 1024},
      {"a2d", "{%two, %y, %one, %one}", 1024 + 128},
  };
  for (const Size& size : sizes) {
    for (const Place& place : places) {
      for (const std::string clamp : {"trap", "clamp", "zero"}) {
        const int whole = size.bytes * size.count;
        const std::string name = "suld.b." + place.geometry + "." + size.type + "." + clamp;
        Buffer out(32 * 16);
        Parameters parameters;
        parameters.add(object.handle).add(out.address());
        const Fault fault = run(thread_kernel("  mul.lo.u32 %y, %x, " + std::to_string(whole) +
                                              ";\n" + clear + "  " + name + " " + size.registers +
                                              ", [%h, " + place.coordinates + "];\n" + size.after),
                                parameters);
        const bool beyond = 32 * whole > 128;
        if (beyond && clamp == "trap") {
          EXPECT_NE(fault.code, 0) << name;
          continue;
        }
        ASSERT_EQ(fault.code, 0) << name << ": " << fault.message;
        for (int i = 0; i < 32; ++i) {
          int x = i * whole;
          const bool outside = x + whole > 128;
          if (outside) x = 128 - whole;
          for (int k = 0; k < size.count; ++k) {
            u64 want = 0;
            if (!outside || clamp == "clamp") {
              std::memcpy(
                  &want,
                  t.bytes.data() + place.start + static_cast<std::size_t>(x + k * size.bytes),
                  static_cast<std::size_t>(size.bytes));
            }
            u64 got = 0;
            std::memcpy(&got, out.data() + 16 * i + (size.bytes == 8 ? 8 * k : 4 * k),
                        size.bytes == 8 ? 8 : 4);
            ASSERT_EQ(got, want) << name << " thread " << i;
          }
        }
      }
    }
  }
}

TEST(Surface, StoresAndReductions) {
  Texels t = bytes_of_surface();
  const Object object(add_surface({t.image, nullptr}), true);
  Buffer out(32 * 16);
  Parameters parameters;
  parameters.add(object.handle).add(out.address());
  // 8 texels of 16 bytes into row 1; threads beyond write nothing.
  Fault fault =
      run(thread_kernel(
              "  mul.lo.u32 %y, %x, 16;\n  mul.lo.u32 %r0, %x, 1000;\n  add.u32 %r1, %r0, 1;\n"
              "  sust.b.2d.v4.b32.zero [%h, {%y, %one}], {%r0, %r1, %r0, %r1};\n"
              "  mul.lo.u32 %y, %x, 2;\n  cvt.u16.u32 %w0, %x;\n"
              "  sust.b.a2d.b16.trap [%h, {%two, %y, %one, %one}], {%w0};\n"),
          parameters);
  ASSERT_EQ(fault.code, 0) << fault.message;
  for (u32 i = 0; i < 8; ++i) {
    u32 words[4];
    std::memcpy(words, t.bytes.data() + 128 + 16 * i, 16);
    EXPECT_EQ(words[0], 1000 * i);
    EXPECT_EQ(words[3], 1000 * i + 1);
  }
  EXPECT_EQ(t.bytes[256], static_cast<std::byte>(256 % 251));
  for (u32 i = 0; i < 32; ++i) {
    u16 half = 0;
    std::memcpy(&half, t.bytes.data() + 1024 + 128 + 2 * i, 2);
    EXPECT_EQ(half, i);
  }
  // All threads on the same words.
  std::memset(t.bytes.data(), 0, 64);
  fault = run(thread_kernel("  mov.u32 %y, 0;\n  sured.b.add.1d.u32.trap [%h, {%y}], %x;\n"
                            "  mov.u32 %y, 4;\n  sured.b.max.1d.s32.trap [%h, {%y}], %x;\n"
                            "  mov.u32 %y, 8;\n  sured.b.or.1d.b32.trap [%h, {%y}], %x;\n"
                            "  mov.u32 %y, 16;\n  cvt.u64.u32 %q0, %x;\n"
                            "  sured.b.add.1d.u64.trap [%h, {%y}], %q0;\n"),
              parameters);
  ASSERT_EQ(fault.code, 0) << fault.message;
  u32 words[6];
  std::memcpy(words, t.bytes.data(), sizeof words);
  EXPECT_EQ(words[0], 496U);
  EXPECT_EQ(words[1], 31U);
  EXPECT_EQ(words[2], 31U);
  EXPECT_EQ(words[4], 496U);
}

TEST(Surface, RefusesWhatIsMisaligned) {
  const Texels t = bytes_of_surface();
  const Object object(add_surface({t.image, nullptr}), true);
  Buffer out(32 * 16);
  Parameters parameters;
  parameters.add(object.handle).add(out.address());
  EXPECT_EQ(
      run(thread_kernel("  mov.u32 %y, 2;\n  suld.b.1d.b32.trap {%r0}, [%h, {%y}];\n"), parameters)
          .code,
      716);
}

}  // namespace
}  // namespace softgpu::test

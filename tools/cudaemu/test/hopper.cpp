#include "hopper.h"

#include <cstring>

namespace test {
namespace {

std::string replaced(std::string text, const char* part, const char* by) {
  return text.replace(text.find(part), strlen(part), by);
}

} // namespace

void Words::put(size_t byte, float x) {
  unsigned bits;
  memcpy(&bits, &x, sizeof bits);
  const uint16_t upper = uint16_t(bits >> 16);
  memcpy(&bytes_.at(byte), &upper, sizeof upper);
}

float Words::get(size_t byte) const {
  uint16_t upper;
  memcpy(&upper, &bytes_.at(byte), sizeof upper);
  const unsigned bits = unsigned(upper) << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

std::vector<float> Words::floats() const {
  std::vector<float> all(bytes_.size() / sizeof(float));
  memcpy(all.data(), bytes_.data(), bytes_.size());
  return all;
}

Words Words::from(const std::vector<float>& floats) {
  Words words(sizeof(float) * floats.size());
  memcpy(words.bytes_.data(), floats.data(), words.size());
  return words;
}

std::vector<float> draw(size_t count, unsigned seed) {
  std::vector<float> all(count);
  for (float& x : all) {
    seed = seed * 1664525u + 1013904223u;
    x = float(int(seed >> 24) - 128) / 64; // 8 bits
  }
  return all;
}

size_t Array::box_bytes() const { return size_t(2) * box[0] * box[1] * box[2] * box[3]; }

CUresult Array::encode(CUdeviceptr address, unsigned char* map) const {
  return cuTensorMapEncodeTiled(map, type, rank, reinterpret_cast<void*>(address), sizes, strides,
                                box, steps, interleave, swizzle, 0, fill);
}

Memory Array::map(CUdeviceptr address) const {
  alignas(64) unsigned char bytes[128];
  OK(encode(address, bytes));
  std::vector<float> words(32);
  memcpy(words.data(), bytes, sizeof bytes);
  return Memory(words);
}

CUresult run_hopper(const std::string& name, Shape shape, Arguments arguments) {
  const std::string text = replaced(ptx(name, arguments.kinds()), ".version 7.0\n.target sm_80",
                                    ".version 8.3\n.target sm_90a");
  CUmodule module;
  CUfunction f;
  OK(cuModuleLoadDataEx(&module, text.c_str(), 0, nullptr, nullptr));
  OK(cuModuleGetFunction(&f, module, name.c_str()));
  OK(cuFuncSetAttribute(f, emulator::max_dynamic_shared_bytes, int(shape.shared)));
  if (const CUresult error = launch(f, shape, arguments)) return error;
  return cuCtxSynchronize();
}

} // namespace test

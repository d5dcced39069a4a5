// Where the pixels of a convolution lie. It comes after prelude.cuh.
//
// Images are cut into vertical strips of equal width, which bounds the rows of a
// window; most are one strip. Pixels are numbered strip by strip, row by row. In
// padded order every row has a column more on either side and every strip a row
// more above, the strip after it giving the row below, so that the taps of a 3x3
// kernel lie at the same distances everywhere: pitch for a row, 1 for a column.
#pragma once

namespace conv {

struct Images {
  int count, height, columns; // images, and the size of each
  int strip, strips;          // columns of a strip, strips of an image
};

DEVICE Images make_images(int count, int height, int columns, int strip) {
  return {count, height, columns, strip, (columns + strip - 1) / strip};
}

DEVICE int pixels(const Images& s) { return s.height * s.columns; }
DEVICE int pitch(const Images& s) { return s.strip + 2; }

// Pixel is a place in a batch.
struct Pixel {
  int image;
  int inside; // offset within a channel's plane; -1 outside of the images
  int padded; // number in padded order
};

// pixel returns number p.
DEVICE Pixel pixel(const Images& s, int p) {
  const int size = s.height * s.strip, strip = p / size, rest = p - strip * size;
  const int row = rest / s.strip, column = rest - row * s.strip;
  const int image = strip / s.strips, left = (strip - image * s.strips) * s.strip + column;
  const bool valid = image < s.count && left < s.columns;
  return {image, valid ? row * s.columns + left : -1,
          (strip * (s.height + 1) + row + 1) * pitch(s) + column + 1};
}

// padded_pixel returns the pixel with number q in padded order. The columns that
// a strip has more are its neighbours', so they are inside where there is one.
DEVICE Pixel padded_pixel(const Images& s, int q) {
  const int line = q / pitch(s), column = q - line * pitch(s) - 1;
  const int strip = line / (s.height + 1), row = line - strip * (s.height + 1) - 1;
  const int image = strip / s.strips, left = (strip - image * s.strips) * s.strip + column;
  const bool valid = row >= 0 && image < s.count && left >= 0 && left < s.columns;
  return {image, valid ? row * s.columns + left : -1, q};
}

} // namespace conv

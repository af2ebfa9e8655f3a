// Reads JSON text from its beginning to its end, value by value, without building anything from it.
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

#include "factorec/control.hpp"

namespace factorec {

// A number as it stands in the text.
struct JsonNumber {
  std::string_view text;
  bool is_integer = true;  // no fraction and no exponent

  // Infinity for what is too large for a double.
  double value() const {
    double result = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
    if (error == std::errc::result_out_of_range) return is_large() ? std::numeric_limits<double>::infinity() : 0.0;
    return result;
  }

 private:
  // Of a number out of range: whether it is far from zero, not near to it.
  bool is_large() const {
    const std::size_t mark = text.find_first_of("eE");
    if (mark == std::string_view::npos) return text.find_first_of("123456789") < text.find('.');
    // Up to 18 digits of exponent; the digits before it count too, but a text has fewer than 10^18.
    std::string_view exponent = text.substr(mark + 1);
    const bool negative = exponent.front() == '-';
    if (negative || exponent.front() == '+') exponent.remove_prefix(1);
    std::int64_t power = 0;
    for (const char c : exponent) power = power < 100'000'000'000'000'000 ? power * 10 + (c - '0') : power;
    const std::string_view digits = text.substr(0, mark);
    const std::size_t first = digits.find_first_of("123456789");
    const std::size_t point = digits.find('.') == std::string_view::npos ? digits.size() : digits.find('.');
    const std::int64_t lead = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
    return lead + (negative ? -power : power) > 0;
  }
};

// Asks now and then, through any number of texts, whether to stop.
class Looks {
 public:
  explicit Looks(Control& control) : control_(control) {}

  void count() {
    if (++n_ % kPerLook == 0) control_.throw_if_stopped();
  }

 private:
  static constexpr std::uint32_t kPerLook = 1 << 16;  // elements: a few milliseconds

  Control& control_;
  std::uint32_t n_ = 0;
};

class JsonText {
 public:
  JsonText(std::string_view text, Looks& looks)
      : begin_(text.data()), at_(text.data()), end_(at_ + text.size()), looks_(looks) {}

  bool at_end() {
    skip_space();
    return at_ == end_;
  }

  // The next character that is no white space; 0 at the end.
  char peek() {
    skip_space();
    return at_ == end_ ? '\0' : *at_;
  }

  // Takes the next character if it is this one.
  bool take(char c) {
    if (peek() != c || at_ == end_) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!take(c)) fail(std::string("expected '") + c + "'");
  }

  // After an element: true if another follows, false at the closing bracket.
  bool next(char closing) {
    looks_.count();
    if (take(',')) return true;
    if (!take(closing)) fail(std::string("expected ',' or '") + closing + "'");
    return false;
  }

  bool at_number() {
    const char c = peek();
    return c == '-' || is_digit(c);
  }

  JsonNumber number() {
    skip_space();
    const char* start = at_;
    if (at_ != end_ && *at_ == '-') ++at_;
    JsonNumber result;
    if (at_ != end_ && *at_ == '0')
      ++at_;
    else
      digits();
    if (at_ != end_ && *at_ == '.') {
      ++at_;
      digits();
      result.is_integer = false;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      digits();
      result.is_integer = false;
    }
    result.text = {start, static_cast<std::size_t>(at_ - start)};
    return result;
  }

  // A number of one digit, also with ".0", before ',' or ']': nearly all of a dense one-hot row. -1: something else.
  int short_number() {
    skip_space();
    const std::ptrdiff_t left = end_ - at_;
    if (left < 2 || !is_digit(*at_)) return -1;
    const int digit = *at_ - '0';
    if (at_[1] == ',' || at_[1] == ']') return ++at_, digit;
    if (left >= 4 && at_[1] == '.' && at_[2] == '0' && (at_[3] == ',' || at_[3] == ']')) return at_ += 3, digit;
    return -1;
  }

  // A string, its escapes resolved. Half a surrogate pair stays one, so that it equals no UTF-8 text.
  void string(std::string& out) {
    out.clear();
    walk_string([&](std::string_view piece) { out.append(piece); }, [&](std::uint32_t code) { append(out, code); });
  }

  // A whole value of any kind.
  void skip(int depth = 0) {
    if (depth > kMaxDepth) fail("nested too deeply");
    const char c = peek();
    if (c == '"') return walk_string([](std::string_view) {}, [](std::uint32_t) {});
    if (c == '-' || is_digit(c)) return static_cast<void>(number());
    if (c == '[' || c == '{') {
      ++at_;
      const char closing = c == '[' ? ']' : '}';
      if (take(closing)) return;
      do {
        if (c == '{') {
          if (peek() != '"') fail("expected a name in quotes");
          walk_string([](std::string_view) {}, [](std::uint32_t) {});
          expect(':');
        }
        skip(depth + 1);
      } while (next(closing));
      return;
    }
    word();
  }

  // What kind of value comes next, for a person; nothing is read.
  std::string kind() {
    switch (peek()) {
      case '{': return "an object";
      case '[': return "an array";
      case '"': return "a string";
      default: break;
    }
    for (const std::string_view known : {"true", "false", "null"})
      if (rest().substr(0, known.size()) == known) return std::string(known);
    fail("expected a value");
  }

  const char* position() {
    skip_space();
    return at_;
  }

  [[noreturn]] void fail(const std::string& what) {
    for (const std::string_view word : {"NaN", "Infinity"})  // which Python writes
      if (rest().substr(0, word.size()) == word)
        throw std::invalid_argument("not JSON: " + std::string(word) + " at byte " + offset() +
                                    " is no number of JSON");
    throw std::invalid_argument("not JSON: " + what + " at byte " + offset());
  }

 private:
  static constexpr int kMaxDepth = 200;

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  std::string_view rest() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }
  std::string offset() const { return std::to_string(at_ - begin_); }

  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  void digits() {
    if (at_ == end_ || !is_digit(*at_)) fail("expected a digit");
    while (at_ != end_ && is_digit(*at_)) ++at_;
  }

  void word() {
    for (const std::string_view known : {"true", "false", "null"})
      if (rest().substr(0, known.size()) == known) {
        at_ += known.size();
        return;
      }
    fail("expected a value");
  }

  // Gives runs of plain characters to `plain` and escaped ones, as UTF-16 units or joined pairs, to `escaped`.
  template <class Plain, class Escaped>
  void walk_string(Plain&& plain, Escaped&& escaped) {
    expect('"');
    const char* start = at_;
    for (;; ++at_) {
      if (at_ == end_) fail("a string without end");
      const unsigned char c = static_cast<unsigned char>(*at_);
      if (c < 0x20) fail("a control character in a string");
      if (c != '"' && c != '\\') continue;
      plain(std::string_view(start, static_cast<std::size_t>(at_ - start)));
      if (c == '"') {
        ++at_;
        return;
      }
      ++at_;
      escaped(escape());
      start = at_ + 1;
    }
  }

  // The character behind a backslash; ends on its last character.
  std::uint32_t escape() {
    if (at_ == end_) fail("a string without end");
    static constexpr std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
    if (const std::size_t i = from.find(*at_); i != std::string_view::npos) return static_cast<unsigned char>(to[i]);
    if (*at_ != 'u') fail("an unknown escape");
    const std::uint32_t unit = hex();
    if (unit < 0xD800 || unit > 0xDBFF || rest().substr(1, 2) != "\\u") return unit;
    const char* before = at_;
    at_ += 2;
    const std::uint32_t low = hex();
    if (low >= 0xDC00 && low <= 0xDFFF) return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    at_ = before;
    return unit;
  }

  std::uint32_t hex() {  // at 'u'; ends on the last digit
    std::uint32_t unit = 0;
    for (int i = 0; i < 4; ++i) {
      ++at_;
      if (at_ == end_) fail("a string without end");
      const char c = *at_;
      static constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
      const std::size_t found = digits.find(c);
      if (found == std::string_view::npos) fail("an escape that is not four hexadecimal digits");
      unit = unit * 16 + static_cast<std::uint32_t>(found % 16);
    }
    return unit;
  }

  static void append(std::string& out, std::uint32_t code) {
    const auto byte = [&](std::uint32_t value) { out.push_back(static_cast<char>(value)); };
    if (code < 0x80) return byte(code);
    if (code < 0x800) {
      byte(0xC0 | code >> 6);
    } else {
      if (code < 0x10000) {
        byte(0xE0 | code >> 12);
      } else {
        byte(0xF0 | code >> 18);
        byte(0x80 | (code >> 12 & 0x3F));
      }
      byte(0x80 | (code >> 6 & 0x3F));
    }
    byte(0x80 | (code & 0x3F));
  }

  const char *begin_, *at_, *end_;
  Looks& looks_;
};

}  // namespace factorec

#include "factorec/json_rows.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "json_text.hpp"

namespace factorec {
namespace {

// A name as errors may show it: short, and without what a message cannot hold.
std::string shown(std::string_view name) {
  std::string result(name.substr(0, 40));
  for (char& c : result)
    if (c < ' ' || c > '~') c = '?';
  return result;
}

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument(what); }

class RowReader {
 public:
  explicit RowReader(std::int64_t n_features) : n_features_(n_features) {}

  JsonRows take() { return std::move(rows_); }

  // Reads one instance and adds its row.
  void add(JsonText& text) {
    if (text.peek() != '{') {
      text.skip();
      refuse("must be an object with either \"features\" or \"data\"");
    }
    int found = 0;
    members(text, [&] {
      if (name_ == "features") {
        ++found;
        numbers(text, "features", values_);
        add_dense("features");
      } else if (name_ == "data") {
        ++found;
        add_data(text);
      } else {
        text.skip();
      }
    });
    if (found != 1) refuse("must be an object with either \"features\" or \"data\"");
    rows_.indptr.push_back(static_cast<std::int64_t>(rows_.indices.size()));
  }

  // Calls `member` for every member of an object, with its name in name_.
  template <class Member>
  void members(JsonText& text, Member&& member) {
    text.expect('{');
    if (text.take('}')) return;
    do {
      if (text.peek() != '"') text.fail("expected a name in quotes");
      text.string(name_);
      text.expect(':');
      member();
    } while (text.next('}'));
  }

  const std::string& name() const { return name_; }

 private:
  void add_data(JsonText& text) {
    int found = 0;
    if (text.peek() == '{') {
      members(text, [&] {
        if (name_ == "features" && text.peek() == '{') {
          ++found;
          add_features(text);
        } else {
          found += name_ == "features" ? 2 : 0;
          text.skip();
        }
      });
    } else {
      text.skip();
    }
    if (found != 1) refuse("data must be an object with one object \"features\"");
  }

  void add_features(JsonText& text) {
    bool has_keys = false, has_shape = false, has_values = false;
    members(text, [&] {
      if (name_ == "values" && !has_values) {
        has_values = true;
        numbers(text, "data.features.values", values_);
      } else if (name_ == "keys" && !has_keys) {
        has_keys = true;
        keys(text);
      } else if (name_ == "shape" && !has_shape) {
        has_shape = true;
        shape(text);
      } else if (name_ == "values" || name_ == "keys" || name_ == "shape") {
        refuse("data.features has " + name_ + " twice");
      } else {
        refuse("data.features has an unknown entry '" + shown(name_) + "'; it may have keys, shape and values");
      }
    });
    if (!has_values) refuse("data.features.values must be an array of numbers");
    if (has_keys && !has_shape)
      refuse("data.features has keys and no shape; add shape: [" + std::to_string(n_features_) + "]");
    if (has_keys)
      add_sparse();
    else if (!has_shape || !values_.empty())  // as in recordio-protobuf: a shape and nothing else is a row of zeros
      add_dense("data.features.values");
  }

  void add_dense(const char* field) {
    if (static_cast<std::int64_t>(values_.size()) != n_features_)
      refuse(std::string(field) + " has " + std::to_string(values_.size()) + " values, the model has " +
             std::to_string(n_features_) + " features");
    for (std::size_t i = 0; i < values_.size(); ++i)
      if (values_[i] != 0) {
        rows_.indices.push_back(static_cast<std::int64_t>(i));
        rows_.values.push_back(values_[i]);
      }
  }

  void add_sparse() {
    if (keys_.size() != values_.size())
      refuse("data.features has " + std::to_string(keys_.size()) + " keys and " + std::to_string(values_.size()) +
             " values");
    rows_.indices.insert(rows_.indices.end(), keys_.begin(), keys_.end());
    rows_.values.insert(rows_.values.end(), values_.begin(), values_.end());
  }

  // Calls `number` for every number of an array.
  template <class Number>
  void array_of_numbers(JsonText& text, const char* field, const char* what, Number&& number) {
    if (text.peek() != '[') {
      text.skip();
      refuse(std::string(field) + " must be an array of " + what);
    }
    text.expect('[');
    if (text.take(']')) return;
    std::int64_t position = 0;
    do {
      number(position);
      ++position;
    } while (text.next(']'));
  }

  static std::string at(const char* field, std::int64_t position) {
    return std::string(field) + "[" + std::to_string(position) + "]";
  }

  void numbers(JsonText& text, const char* field, std::vector<float>& out) {
    constexpr double largest = std::numeric_limits<float>::max();
    out.clear();
    array_of_numbers(text, field, "numbers", [&](std::int64_t position) {
      if (const int digit = text.short_number(); digit >= 0) return out.push_back(static_cast<float>(digit));
      if (!text.at_number()) refuse(at(field, position) + " is " + text.kind() + ", not a number");
      const double value = text.number().value();
      if (std::fabs(value) > largest) refuse(at(field, position) + " is too large for float32");
      out.push_back(static_cast<float>(value));
    });
  }

  void keys(JsonText& text) {
    constexpr const char* field = "data.features.keys";
    keys_.clear();
    array_of_numbers(text, field, "integers", [&](std::int64_t position) {
      if (!text.at_number()) refuse(at(field, position) + " is " + text.kind() + ", not a number");
      const JsonNumber number = text.number();
      const std::string shown(number.text.substr(0, 40));
      if (!number.is_integer) refuse(at(field, position) + " is " + shown + ", not an integer");
      std::int64_t key = 0;
      const auto [end, error] = std::from_chars(number.text.data(), number.text.data() + number.text.size(), key);
      if (error != std::errc{} || key < 0 || key >= n_features_)
        refuse(at(field, position) + " is " + shown + ", the model has features 0.." + std::to_string(n_features_ - 1));
      keys_.push_back(key);
    });
  }

  // [n_features], nothing else.
  void shape(JsonText& text) {
    const char* begin = text.position();
    text.skip();
    std::string_view given(begin, static_cast<std::size_t>(text.position() - begin));
    std::string plain, wanted = "[";
    wanted.append(std::to_string(n_features_)).push_back(']');
    for (const char c : given)
      if (c != ' ' && c != '\n' && c != '\r' && c != '\t') plain.push_back(c);
    if (plain != wanted) refuse("data.features.shape is not " + wanted + ", the number of features of the model");
  }

  std::int64_t n_features_;
  JsonRows rows_;
  std::vector<float> values_;
  std::vector<std::int64_t> keys_;
  std::string name_;
};

// Whatever is wrong with an instance, which one it is.
template <class Read>
void named(const std::string& prefix, std::int64_t number, const char* suffix, Read&& read) {
  try {
    read();
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(prefix + std::to_string(number) + suffix + error.what());
  }
}

void read_document(JsonText& text, RowReader& rows) {
  const auto refuse_document = [] { refuse("the body must be a JSON object with one array \"instances\""); };
  int found = 0;
  if (text.peek() != '{') {
    text.skip();
    refuse_document();
  }
  rows.members(text, [&] {
    if (rows.name() != "instances") return text.skip();
    if (++found > 1 || text.peek() != '[') refuse_document();
    text.expect('[');
    if (text.take(']')) return;
    std::int64_t number = 0;
    do {
      named("instances[", number, "]: ", [&] { rows.add(text); });
      ++number;
    } while (text.next(']'));
  });
  if (!text.at_end()) text.fail("something after the end");
  if (found != 1) refuse_document();
}

void read_lines(std::string_view all, RowReader& rows, Looks& looks) {
  std::int64_t number = 0;
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find('\n', begin), all.size());
    JsonText text(all.substr(begin, end - begin), looks);
    ++number;
    looks.count();
    if (!text.at_end())
      named("line ", number, ": ", [&] {
        rows.add(text);
        if (!text.at_end()) text.fail("something after the end");
      });
    begin = end + 1;
  }
}

}  // namespace

JsonRows read_json_rows(std::string_view text, std::int64_t n_features, bool lines, Control& control) {
  RowReader rows(n_features);
  Looks looks(control);
  if (lines) {
    read_lines(text, rows, looks);
  } else {
    JsonText document(text, looks);
    read_document(document, rows);
  }
  return rows.take();
}

}  // namespace factorec

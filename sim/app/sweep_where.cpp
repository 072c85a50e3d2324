// Recursive descent over the words of an expression; evaluation walks the tree.
#include "sim/app/sweep_where.hpp"

#include <fmt/format.h>

#include <cctype>
#include <variant>

#include "sim/core/error.hpp"

namespace rooftrace {

namespace detail {

using Value = std::variant<double, std::string>;

struct WhereNode {
  std::string op;  ///< "" a constant, "name" an axis, else the operator.
  Value constant;
  const SweepKey* key = nullptr;
  std::size_t axis = 0;
  bool text = false;  ///< Its value is a text.
  std::unique_ptr<WhereNode> left, right;
};

}  // namespace detail

namespace {

using detail::Value;
using detail::WhereNode;
using Node = std::unique_ptr<WhereNode>;
constexpr int kDeepest = 200;

class Parser {
 public:
  Parser(const std::string& text, const SweepSpec& spec) : text_(text), spec_(spec) {}

  Node all() {
    Node node = either();
    skip();
    if (at_ != text_.size()) fail(fmt::format("cannot make sense of {}", quoted_word(text_.substr(at_))));
    return node;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const { throw UserError(fmt::format("where {}: {}", quoted_word(text_), why)); }
  void skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  [[nodiscard]] bool wordy(std::size_t i) const {
    return i < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[i])) != 0 || text_[i] == '_' || text_[i] == '.');
  }
  bool take(const std::string& word) {
    skip();
    if (text_.compare(at_, word.size(), word) != 0) return false;
    if (wordy(at_) && wordy(at_ + word.size())) return false;  // A longer word.
    at_ += word.size();
    return true;
  }

  Node join(const std::string& op, Node left, Node right) const {
    const bool compares = op.find_first_of("=<>!") != std::string::npos;
    if (left->text != right->text) fail(fmt::format("{} stands between a text and a number", op));
    if (left->text && !compares) fail(fmt::format("{} has no meaning for texts", op));
    auto node = std::make_unique<WhereNode>();
    node->op = op;
    node->left = std::move(left);
    node->right = std::move(right);
    return node;
  }

  Node either() {
    if (++depth_ > kDeepest) fail("is nested too deeply");
    Node node = both();
    while (take("or")) node = join("or", std::move(node), both());
    --depth_;
    return node;
  }
  Node both() {
    Node node = compared();
    while (take("and")) node = join("and", std::move(node), compared());
    return node;
  }
  Node compared() {
    if (take("not")) {
      if (++depth_ > kDeepest) fail("is nested too deeply");
      Node inner = compared();
      --depth_;
      if (inner->text) fail("not stands before a text");
      auto node = std::make_unique<WhereNode>();
      node->op = "not";
      node->left = std::move(inner);
      return node;
    }
    Node node = sum();
    for (const char* op : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (take(op)) return join(op, std::move(node), sum());
    }
    skip();
    if (at_ < text_.size() && text_[at_] == '=') fail("write == for \"is equal to\"");
    return node;
  }
  Node sum() {
    Node node = product();
    for (;;) {
      if (take("+")) {
        node = join("+", std::move(node), product());
      } else if (take("-")) {
        node = join("-", std::move(node), product());
      } else {
        return node;
      }
    }
  }
  Node product() {
    Node node = atom();
    for (;;) {
      if (take("*")) {
        node = join("*", std::move(node), atom());
      } else if (take("/")) {
        node = join("/", std::move(node), atom());
      } else {
        return node;
      }
    }
  }

  static Node constant(Value value) {
    auto node = std::make_unique<WhereNode>();
    node->text = std::holds_alternative<std::string>(value);
    node->constant = std::move(value);
    return node;
  }

  Node atom() {
    skip();
    if (at_ == text_.size()) fail("ends too early");
    if (take("(")) {
      Node node = either();
      if (!take(")")) fail("has a ( without its )");
      return node;
    }
    const char first = text_[at_];
    if (first == '"' || first == '\'') {
      const std::size_t end = text_.find(first, at_ + 1);
      if (end == std::string::npos) fail("has a quote without its end");
      Node node = constant(text_.substr(at_ + 1, end - at_ - 1));
      at_ = end + 1;
      return node;
    }
    if (std::isdigit(static_cast<unsigned char>(first)) != 0 || first == '-' || first == '.') return number();
    if (!wordy(at_)) fail(fmt::format("cannot make sense of {}", quoted_word(text_.substr(at_))));
    std::size_t end = at_;
    while (wordy(end)) ++end;
    const std::string word = text_.substr(at_, end - at_);
    at_ = end;
    return named(word);
  }

  /// The longest run of a number, and a unit behind it, that reads as one quantity.
  Node number() {
    std::size_t digits = at_ + 1;
    while (digits < text_.size() &&
           (std::isdigit(static_cast<unsigned char>(text_[digits])) != 0 || text_[digits] == '.' ||
            ((text_[digits] == 'e' || text_[digits] == 'E') && digits + 1 < text_.size() &&
             (std::isdigit(static_cast<unsigned char>(text_[digits + 1])) != 0 || text_[digits + 1] == '-' || text_[digits + 1] == '+')) ||
            ((text_[digits] == '+' || text_[digits] == '-') && (text_[digits - 1] == 'e' || text_[digits - 1] == 'E'))))
      ++digits;
    std::size_t letters = digits;
    while (letters < text_.size() && text_[letters] == ' ') ++letters;
    while (letters < text_.size() && std::isalpha(static_cast<unsigned char>(text_[letters])) != 0) ++letters;
    std::size_t rate = letters;
    if (text_.compare(letters, 2, "/s") == 0 && !wordy(letters + 2)) rate += 2;
    double value = 0;
    std::string units;
    for (const std::size_t end : {rate, letters, digits}) {
      if (!read_number(text_.substr(at_, end - at_), value, units)) continue;
      at_ = end;
      return constant(value);
    }
    fail(fmt::format("{} is not a number", quoted_word(text_.substr(at_, letters - at_))));
  }

  Node named(const std::string& word) const {
    std::vector<std::string> known;
    for (std::size_t axis = 0; axis < spec_.axes.size(); ++axis) {
      for (const SweepKey& key : spec_.axes[axis].keys) {
        known.push_back(key.name);
        if (word != key.name && word != key.key) continue;
        auto node = std::make_unique<WhereNode>();
        node->op = "name";
        node->key = &key;
        node->axis = axis;
        node->text = !key.numeric;
        return node;
      }
    }
    std::string list;
    for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
    fail(fmt::format("no axis is called {}{} (axes: {}; texts are written in quotes)", quoted_word(word), did_you_mean(word, known), list));
  }

  const std::string& text_;
  const SweepSpec& spec_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

template <typename T>
bool compared(const std::string& op, const T& left, const T& right) {
  if (op == "==") return left == right;
  if (op == "!=") return left != right;
  if (op == "<=") return left <= right;
  if (op == ">=") return left >= right;
  return op == "<" ? left < right : left > right;
}

Value evaluate(const WhereNode& node, const std::vector<std::size_t>& at) {
  if (node.op.empty()) return node.constant;
  if (node.op == "name") {
    const std::size_t i = at[node.axis];
    return node.key->numeric ? Value(node.key->numbers[i]) : Value(std::string(node.key->labels[i]));
  }
  const Value left = evaluate(*node.left, at);
  if (node.op == "not") return std::get<double>(left) == 0 ? 1.0 : 0.0;
  const Value right = evaluate(*node.right, at);
  if (node.left->text) return compared(node.op, std::get<std::string>(left), std::get<std::string>(right)) ? 1.0 : 0.0;
  const double a = std::get<double>(left), b = std::get<double>(right);
  if (node.op == "or") return a != 0 || b != 0 ? 1.0 : 0.0;
  if (node.op == "and") return a != 0 && b != 0 ? 1.0 : 0.0;
  if (node.op == "+") return a + b;
  if (node.op == "-") return a - b;
  if (node.op == "*") return a * b;
  if (node.op == "/") return a / b;
  return compared(node.op, a, b) ? 1.0 : 0.0;
}

}  // namespace

SweepWhere::SweepWhere(const SweepSpec& spec) : spec_(spec) {
  for (const std::string& text : spec.where) {
    filters_.push_back(Parser(text, spec).all());
    if (filters_.back()->text) throw UserError(fmt::format("where {}: is a text, not a condition", quoted_word(text)));
  }
}

SweepWhere::~SweepWhere() = default;

bool SweepWhere::takes(std::uint64_t point) const {
  if (filters_.empty()) return true;
  const std::vector<std::size_t> at = spec_.position(point);
  for (const auto& filter : filters_) {
    if (std::get<double>(evaluate(*filter, at)) == 0) return false;
  }
  return true;
}

}  // namespace rooftrace

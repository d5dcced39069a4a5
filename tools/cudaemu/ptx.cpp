#include "ptx.h"

#include "report.h"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>

namespace emulator {
namespace {

bool in_word(char c) { return isalnum((unsigned char)c) || (c && strchr("_$.%", c)); }

// Lexer splits a text into words, quoted texts and single signs, without
// comments. An empty token is the end.
class Lexer {
public:
  explicit Lexer(const std::string& text) : text_(text) { advance(); }
  const std::string& token() const { return token_; }
  std::string take() {
    std::string token = std::move(token_);
    advance();
    return token;
  }
  bool done() const { return token_.empty(); }

  // skip_body passes the rest of a body whose opening brace is the token: modules
  // have megabytes of them. It returns false if the text ends before.
  bool skip_body();

private:
  void advance();
  void skip_space();
  void skip_to(const char* end);

  const std::string& text_;
  size_t at_ = 0;
  std::string token_;
};

void Lexer::skip_to(const char* end) {
  const size_t found = text_.find(end, at_);
  at_ = found == std::string::npos ? text_.size() : found + strlen(end);
}

void Lexer::skip_space() {
  while (at_ < text_.size()) {
    if (isspace((unsigned char)text_[at_])) {
      at_++;
    } else if (text_.compare(at_, 2, "//") == 0) {
      skip_to("\n");
    } else if (text_.compare(at_, 2, "/*") == 0) {
      skip_to("*/");
    } else {
      return;
    }
  }
}

void Lexer::advance() {
  skip_space();
  const size_t start = at_;
  if (at_ >= text_.size()) {
    token_.clear();
    return;
  }
  at_++;
  if (in_word(text_[start])) {
    while (at_ < text_.size() && in_word(text_[at_])) at_++;
  } else if (text_[start] == '"') {
    skip_to("\"");
  }
  token_ = text_.substr(start, at_ - start);
}

bool Lexer::skip_body() {
  for (int depth = 1; depth > 0;) {
    at_ = text_.find_first_of("{}/\"", at_);
    if (at_ == std::string::npos) {
      at_ = text_.size();
      return false;
    }
    const char found = text_[at_];
    if (found == '/') {
      const size_t before = at_;
      skip_space();
      at_ += at_ == before;
      continue;
    }
    at_++;
    if (found == '"') skip_to("\"");
    depth += found == '{' ? 1 : found == '}' ? -1 : 0;
  }
  advance();
  return true;
}

// type_bytes returns the size of a type as .u64, or 0.
int type_bytes(const std::string& token) {
  if (token.size() < 3 || token[0] != '.' || !strchr("usfb", token[1])) return 0;
  const int bits = atoi(token.c_str() + 2);
  return bits == 8 || bits == 16 || bits == 32 || bits == 64 ? bits / 8 : 0;
}

class Parser {
public:
  Parser(const std::string& text, PtxModule& module) : lexer_(text), module_(module) {}
  bool parse(std::string& problem);

private:
  bool reject(const std::string& problem) {
    problem_ = problem;
    return false;
  }
  bool header();
  bool statement();
  bool declaration();
  bool entry();
  bool parameter(PtxEntry& entry);
  bool parameters(PtxEntry& entry);
  void bounds(PtxEntry& entry);

  Lexer lexer_;
  PtxModule& module_;
  std::string problem_;
};

bool Parser::header() {
  int major = 0, minor = 0, target = 0;
  if (lexer_.take() != ".version" || sscanf(lexer_.take().c_str(), "%d.%d", &major, &minor) != 2) {
    return reject("ptxas fatal : Missing .version directive at start of file");
  }
  const bool named = lexer_.take() == ".target";
  const std::string name = lexer_.take();
  if (!named || sscanf(name.c_str(), "sm_%d", &target) != 1) {
    return reject("ptxas fatal : Missing .target directive after .version");
  }
  module_.version = 10 * major + minor;
  module_.target = target;
  module_.exact = isalpha((unsigned char)name.back());
  return true;
}

// parameter reads .param TYPE [.ptr ...] NAME ['[' COUNT ']'].
bool Parser::parameter(PtxEntry& entry) {
  if (lexer_.take() != ".param") return false;
  int bytes = 0;
  while (!lexer_.done() && lexer_.token() != "," && lexer_.token() != ")") {
    const std::string token = lexer_.take();
    if (!bytes) bytes = type_bytes(token);
    if (token == "[") bytes *= atoi(lexer_.token().c_str());
    if (token == entry.name + "_mark") entry.marked = true;
  }
  entry.parameters.push_back(bytes);
  return bytes > 0;
}

// parameters reads on from the opening parenthesis to behind the closing one.
bool Parser::parameters(PtxEntry& entry) {
  lexer_.take();
  while (lexer_.token() != ")") {
    if (lexer_.token() == ",") lexer_.take();
    if (entry.marked || !parameter(entry)) return false; // the mark is the last
  }
  if (!entry.marked) return true;
  const bool address = entry.parameters.back() == sizeof(void*);
  entry.parameters.pop_back();
  return address;
}

// bounds reads .maxntid X [, Y [, Z]].
void Parser::bounds(PtxEntry& entry) {
  entry.max_threads = atoi(lexer_.take().c_str());
  while (lexer_.token() == ",") {
    lexer_.take();
    entry.max_threads *= atoi(lexer_.take().c_str());
  }
}

// entry reads from a kernel's name to the brace before its body.
bool Parser::entry() {
  PtxEntry entry;
  entry.name = lexer_.take();
  if (lexer_.token() == "(" && !parameters(entry)) {
    return reject(format("ptxas error : cannot read the parameters of %s", entry.name.c_str()));
  }
  while (lexer_.token() != "{") {
    if (lexer_.done()) return reject(format("ptxas error : %s has no body", entry.name.c_str()));
    if (lexer_.take() == ".maxntid") bounds(entry);
  }
  module_.entries.push_back(entry);
  return true;
}

// declaration reads on to its semicolon or to the end of its body.
bool Parser::declaration() {
  while (!lexer_.done()) {
    if (lexer_.token() == "{") {
      if (lexer_.skip_body()) return true;
      break;
    }
    const std::string token = lexer_.take();
    if (token == ";") return true;
    if (token == ".entry" && !entry()) return false;
  }
  return reject("ptxas error : the text ends within a declaration");
}

bool Parser::statement() {
  static const std::set<std::string> declarations = {
      ".visible", ".extern", ".weak",  ".common", ".entry", ".func",   ".global",
      ".const",   ".shared", ".local", ".tex",    ".alias", ".pragma", ".section"};
  if (declarations.count(lexer_.token())) return declaration();
  const std::string token = lexer_.take();
  if (token == ".address_size") {
    lexer_.take();
  } else if (token == ".file") {
    lexer_.take(); // its number
    lexer_.take(); // and name
  } else if (token != ";") {
    return reject(format("ptxas error : syntax error near '%s'", token.c_str()));
  }
  return true;
}

bool Parser::parse(std::string& problem) {
  bool good = header();
  while (good && !lexer_.done()) good = statement();
  problem = problem_;
  return good;
}

} // namespace

bool parse_ptx(const std::string& text, PtxModule& module, std::string& problem) {
  return Parser(text, module).parse(problem);
}

} // namespace emulator

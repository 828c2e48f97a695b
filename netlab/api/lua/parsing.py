"""JSON in Lua."""

from __future__ import annotations

JSON = """\
-- JSON (RFC 8259), with the place of each value: what the packet bytes pane marks.

local MAX_DEPTH = 100
local ESCAPES = {
  ['"'] = '"', ["\\\\"] = "\\\\", ["/"] = "/",
  b = "\\b", f = "\\f", n = "\\n", r = "\\r", t = "\\t",
}

local function utf8_of(code)
  if code < 0x80 then return string.char(code) end
  local tail = string.char(0x80 + code % 0x40)
  code = math.floor(code / 0x40)
  if code < 0x20 then return string.char(0xC0 + code) .. tail end
  tail = string.char(0x80 + code % 0x40) .. tail
  code = math.floor(code / 0x40)
  if code < 0x10 then return string.char(0xE0 + code) .. tail end
  return string.char(0xF0 + math.floor(code / 0x40), 0x80 + code % 0x40) .. tail
end

local function skip_space(text, at)
  return text:find("[^ \\t\\r\\n]", at) or #text + 1
end

local function parse_string(text, at)
  local parts, from = {}, at + 1
  while true do
    local stop = text:find('["\\\\]', from)
    if not stop then error("text without an end", 0) end
    parts[#parts + 1] = text:sub(from, stop - 1)
    if text:sub(stop, stop) == '"' then return table.concat(parts), stop end
    local letter = text:sub(stop + 1, stop + 1)
    if letter == "u" then
      local code = tonumber(text:match("^%x%x%x%x", stop + 2) or "x", 16)
      if not code then error("an escape that is none", 0) end
      from = stop + 6
      local low = tonumber(text:match("^\\\\u(%x%x%x%x)", from) or "x", 16)
      if code >= 0xD800 and code < 0xDC00 and low and low >= 0xDC00 and low < 0xE000 then
        code = 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00)
        from = from + 6
      end
      parts[#parts + 1] = utf8_of(code)
    elseif ESCAPES[letter] then
      parts[#parts + 1] = ESCAPES[letter]
      from = stop + 2
    else
      error("an escape that is none", 0)
    end
  end
end

local function parse_value(text, at, depth)
  if depth > MAX_DEPTH then error("arrays and objects too deep in each other", 0) end
  at = skip_space(text, at)
  local first = text:sub(at, at)
  local node = {from = at}
  if first == '"' then
    node.kind = "string"
    node.value, node.to = parse_string(text, at)
  elseif first == "{" then
    node.kind, node.members, node.byname = "object", {}, {}
    at = skip_space(text, at + 1)
    if text:sub(at, at) ~= "}" then
      while true do
        if text:sub(at, at) ~= '"' then error("a member has a name", 0) end
        local member = {from = at}
        member.name, at = parse_string(text, at)
        at = skip_space(text, at + 1)
        if text:sub(at, at) ~= ":" then error("a colon is missing", 0) end
        member.value = parse_value(text, at + 1, depth + 1)
        node.members[#node.members + 1] = member
        node.byname[member.name] = member.value
        at = skip_space(text, member.value.to + 1)
        if text:sub(at, at) == "}" then break end
        if text:sub(at, at) ~= "," then error("a comma is missing", 0) end
        at = skip_space(text, at + 1)
      end
    end
    node.to = at
  elseif first == "[" then
    node.kind, node.items = "array", {}
    at = skip_space(text, at + 1)
    if text:sub(at, at) ~= "]" then
      while true do
        local item = parse_value(text, at, depth + 1)
        node.items[#node.items + 1] = item
        at = skip_space(text, item.to + 1)
        if text:sub(at, at) == "]" then break end
        if text:sub(at, at) ~= "," then error("a comma is missing", 0) end
        at = at + 1
      end
    end
    node.to = at
  else
    local word = text:match("^[%w+.-]+", at)
    if not word then error("a value is missing", 0) end
    node.to = at + #word - 1
    if word == "true" or word == "false" then
      node.kind, node.value = "boolean", word == "true"
    elseif word == "null" then
      node.kind = "null"
    elseif word:match("^%-?%d") and not word:match("[xXpP]") and tonumber(word) then
      node.kind, node.value = "number", tonumber(word)
    else
      error("a value that is none: " .. word:sub(1, 20), 0)
    end
  end
  return node
end

local function parse(text)
  local node = parse_value(text, 1, 1)
  if skip_space(text, node.to + 1) <= #text then error("something follows the message", 0) end
  return node
end
"""

"""Messages out of the stream, in Lua: a function ``frame`` for each framing."""

from __future__ import annotations

FRAMES = {
    "length-prefix": """\
-- A length of @SIZE@ bytes before each message.
local function frame(tvb, at)
  local left = tvb:len() - at
  if left < @SIZE@ then return nil, DESEGMENT_ONE_MORE_SEGMENT end
  local body = tvb(at, @SIZE@):@READ@ + @ADJUSTMENT@
  if body < 0 or body > MAX_MESSAGE then return false, "the length is " .. body end
  if left < @SIZE@ + body then return nil, @SIZE@ + body - left end
  return @SIZE@, body, 0
end
""",
    "varint": """\
-- A length in base 128 (LEB128) before each message.
local function frame(tvb, at)
  local left, body, scale = tvb:len() - at, 0, 1
  for size = 1, 10 do
    if left < size then return nil, DESEGMENT_ONE_MORE_SEGMENT end
    local byte = tvb(at + size - 1, 1):uint()
    body = body + byte % 128 * scale
    scale = scale * 128
    if byte < 128 then
      if body > MAX_MESSAGE then return false, "the length is " .. body end
      if left < size + body then return nil, size + body - left end
      return size, body, 0
    end
  end
  return false, "the length has more than 10 bytes"
end
""",
    "netstring": """\
-- A length in decimal digits and a colon before each message, a comma after it.
local function frame(tvb, at)
  local left = tvb:len() - at
  local text = tvb:raw(at, math.min(left, 20))
  local digits = text:match("^(%d+):")
  if not digits then
    if text:match("^%d*$") and left < 20 then return nil, DESEGMENT_ONE_MORE_SEGMENT end
    return false, "there is no length"
  end
  local size, body = #digits + 1, tonumber(digits)
  if body > MAX_MESSAGE then return false, "the length is " .. digits end
  if left < size + body + 1 then return nil, size + body + 1 - left end
  return size, body, 1
end
""",
    "content-length": """\
-- Headers before each message, Content-Length among them, as in the Language Server Protocol.
local function frame(tvb, at)
  local left = tvb:len() - at
  local text = tvb:raw(at, math.min(left, 4096))
  local _, size = text:find("\\r\\n\\r\\n", 1, true)
  if not size then
    if left < 4096 then return nil, DESEGMENT_ONE_MORE_SEGMENT end
    return false, "the headers have no end"
  end
  local digits = text:sub(1, size):lower():match("content%-length:[ \\t]*(%d+)[ \\t]*\\r\\n")
  if not digits then return false, "there is no Content-Length" end
  local body = tonumber(digits)
  if body > MAX_MESSAGE then return false, "the length is " .. digits end
  if left < size + body then return nil, size + body - left end
  return size, body, 0
end
""",
    "line": """\
-- Each message is a line.
local DELIMITER = @DELIMITER@
local function frame(tvb, at)
  local left = tvb:len() - at
  local text = tvb:raw(at, left)
  local first, last = text:find(DELIMITER, 1, true)
  if not first then
    if left > MAX_MESSAGE then return false, "the line has no end" end
    return nil, DESEGMENT_ONE_MORE_SEGMENT
  end
  if DELIMITER == "\\n" and text:sub(first - 1, first - 1) == "\\r" and first > 1 then
    first = first - 1
  end
  return 0, first - 1, last - first + 1
end
""",
}
"""By the name of the framing: the bytes before, of, and after the next message; or ``nil`` and
how many more are needed; or ``false`` and what is wrong."""

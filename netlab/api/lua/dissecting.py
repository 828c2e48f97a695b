"""What Wireshark shows of a message, in Lua."""

from __future__ import annotations

FIELDS = """\
local api = Proto(NAME, TITLE .. " (netlab API)")

local fixed = {
  length = ProtoField.uint32(NAME .. ".length", "Length"),
  id = ProtoField.string(NAME .. ".id", "Id"),
  method = ProtoField.string(NAME .. ".method", "Method"),
  code = ProtoField.int64(NAME .. ".error.code", "Code"),
  message = ProtoField.string(NAME .. ".error.message", "Message"),
  subscription = ProtoField.int64(NAME .. ".subscription", "Subscription"),
  call = ProtoField.framenum(NAME .. ".call", "Call in", base.NONE, frametype.REQUEST),
  answer = ProtoField.framenum(NAME .. ".answer", "Answer in", base.NONE, frametype.RESPONSE),
  time = ProtoField.relative_time(NAME .. ".time", "Time since the call"),
}
local malformed = ProtoExpert.new(
  NAME .. ".malformed", "Malformed message", expert.group.MALFORMED, expert.severity.ERROR)
local unknown = ProtoExpert.new(
  NAME .. ".unknown", "Unknown method or argument", expert.group.PROTOCOL, expert.severity.WARN)
local mismatch = ProtoExpert.new(
  NAME .. ".mismatch", "Not of the declared type", expert.group.PROTOCOL, expert.severity.WARN)
local failed = ProtoExpert.new(
  NAME .. ".failed", "The call failed", expert.group.RESPONSE_CODE, expert.severity.NOTE)
api.experts = {malformed, unknown, mismatch, failed}

do
  local fields = {}
  for _, field in pairs(fixed) do fields[#fields + 1] = field end
  local makers = {
    int64 = function(...) return ProtoField.int64(...) end,
    double = function(...) return ProtoField.double(...) end,
    boolean = function(...) return ProtoField.bool(...) end,
  }
  local function made(each)
    local maker = makers[each.kind] or function(...) return ProtoField.string(...) end
    each.proto = maker(NAME .. "." .. each.field, each.name)
    fields[#fields + 1] = each.proto
  end
  for _, method in pairs(METHODS) do
    method.named = {}
    for _, argument in ipairs(method.arguments) do
      made(argument)
      method.named[argument.name] = argument
    end
    made(method.result)
  end
  api.fields = fields
end
"""

DISSECTOR = """\
-- What is known of each connection: calls that wait, answers and calls by frame, subscriptions.
local waiting, answered, asked, subscriptions
local seen = {}

local function forget()
  waiting, answered, asked, subscriptions, seen = {}, {}, {}, {}, {}
end

local tcp_stream = Field.new("tcp.stream")

-- One message on its way through: where it is, and who sends it.
local function place_of(tvb, pinfo, base, text)
  local stream = tcp_stream()
  local head = (stream and tostring(stream.value) or "") .. "|"
  return {
    tvb = tvb, pinfo = pinfo, base = base, text = text,
    from = head .. tostring(pinfo.src) .. "|" .. pinfo.src_port .. "|",
    to = head .. tostring(pinfo.dst) .. "|" .. pinfo.dst_port .. "|",
  }
end

local function range(place, node)
  return place.tvb(place.base + node.from - 1, node.to - node.from + 1)
end

local function source(place, node)
  return place.text:sub(node.from, node.to)
end

local function short(text)
  text = text:gsub("%c", " ")
  if #text <= 60 then return text end
  return text:sub(1, 57):gsub("[\\128-\\255]+$", "") .. "..."
end

local MAX_CHILDREN = 1000

local function add_children(tree, place, node)
  local function child(label, from, value)
    local where = place.tvb(place.base + from - 1, value.to - from + 1)
    local item = tree:add(where, label .. ": " .. short(source(place, value)))
    add_children(item, place, value)
  end
  local children = node.members or node.items or {}
  for index, each in ipairs(children) do
    if index > MAX_CHILDREN then -- a tree can have only so many
      tree:add(range(place, node), "and " .. #children - MAX_CHILDREN .. " more")
      break
    elseif node.members then
      child(each.name, each.from, each.value)
    else
      child("[" .. index - 1 .. "]", each.from, each)
    end
  end
end

local function add_plain(tree, place, label, node)
  local item = tree:add(range(place, node), label .. ": " .. short(source(place, node)))
  add_children(item, place, node)
  return item
end

local function fits_int64(digits)
  local sign, number = digits:match("^(%-?)0*(%d+)$")
  if not number then return false end
  local most = sign == "" and "9223372036854775807" or "9223372036854775808"
  return #number < #most or (#number == #most and number <= most)
end

local CLASSES = {int64 = "number", double = "number", boolean = "boolean", string = "string"}

-- An argument, a result or an item, in its own field.
local function add_declared(tree, place, declared, node)
  local digits = source(place, node)
  local where = range(place, node)
  local item
  if declared.kind == "int64" and node.kind == "number" and fits_int64(digits) then
    item = tree:add(declared.proto, where, Int64.new(digits))
  elseif declared.kind == "double" and node.kind == "number" then
    item = tree:add(declared.proto, where, node.value)
  elseif declared.kind == "boolean" and node.kind == "boolean" then
    item = tree:add(declared.proto, where, node.value)
  elseif declared.kind == "string" and node.kind == "string" then
    item = tree:add(declared.proto, where, node.value)
  elseif declared.kind == "json" then
    item = tree:add(declared.proto, where, digits)
    add_children(item, place, node)
  else
    item = add_plain(tree, place, declared.name, node)
    local class = CLASSES[declared.kind]
    if node.kind ~= class and not (node.kind == "null" and declared.null) then
      item:add_proto_expert_info(mismatch, declared.name .. " is declared as " .. declared.type)
    end
  end
  return item
end

local function add_params(tree, place, method, params)
  local shown = {}
  if params == nil then return "" end
  local item = tree:add(range(place, params), "Arguments")
  local function argument(declared, label, node)
    shown[#shown + 1] = (label and label .. "=" or "") .. short(source(place, node))
    if declared then
      add_declared(item, place, declared, node)
      return
    end
    local each = add_plain(item, place, label or "[" .. #shown - 1 .. "]", node)
    if method and label ~= "workDoneToken" then
      each:add_proto_expert_info(unknown, "there is no argument " .. (label or #shown))
    end
  end
  if params.kind == "object" then
    for _, member in ipairs(params.members) do
      argument(method and method.named[member.name], member.name, member.value)
    end
  elseif params.kind == "array" then
    for index, node in ipairs(params.items) do
      local declared = method and method.arguments[index]
      argument(declared, declared and declared.name, node)
    end
  end
  return table.concat(shown, ", ")
end

local function add_error(tree, place, node)
  local said = "error"
  if node.kind ~= "object" then
    add_plain(tree, place, "Error", node):add_proto_expert_info(malformed, "the error is none")
    return said
  end
  local item = tree:add(range(place, node), "Error")
  for _, member in ipairs(node.members) do
    local value = member.value
    local digits = source(place, value)
    if member.name == "code" and value.kind == "number" and fits_int64(digits) then
      item:add(fixed.code, range(place, value), Int64.new(digits))
      said = said .. " " .. digits
    elseif member.name == "message" and value.kind == "string" then
      item:add(fixed.message, range(place, value), value.value)
      said = said .. ": " .. short(value.value)
    else
      add_plain(item, place, member.name, value)
    end
  end
  item:add_proto_expert_info(failed, said)
  return said
end

-- $/item and $/end: what comes of a subscription.
local function add_news(tree, place, name, params)
  local number = params.byname.subscription
  local key = number and place.from .. source(place, number)
  local method = key and subscriptions[key]
  local label = method and method.title or "subscription"
  if method then tree:add(fixed.method, method.title):set_generated() end
  if number and number.kind == "number" and fits_int64(source(place, number)) then
    tree:add(fixed.subscription, range(place, number), Int64.new(source(place, number)))
    label = label .. " [" .. source(place, number) .. "]"
  end
  for _, member in ipairs(params.members) do
    if member.name == "value" and name == "$/item" then
      if method then
        add_declared(tree, place, method.result, member.value)
      else
        add_plain(tree, place, "value", member.value)
      end
      label = label .. " " .. short(source(place, member.value))
    elseif member.name == "error" then
      label = label .. " " .. add_error(tree, place, member.value)
    elseif member.name ~= "subscription" then
      add_plain(tree, place, member.name, member.value)
    end
  end
  return name == "$/end" and label .. " ends" or label
end

local function add_call(tree, place, node)
  local pinfo, members = place.pinfo, node.byname
  local name, id, params = members.method.value, members.id, members.params
  local method = METHODS[name]
  local item = tree:add(fixed.method, range(place, members.method), name)
  if not method and not name:match("^rpc%.") and not name:match("^%$/") then
    item:add_proto_expert_info(unknown, "there is no method " .. name)
  end
  if not id then
    local news = name == "$/item" or name == "$/end"
    if news and params and params.kind == "object" then
      return add_news(tree, place, name, params)
    end
    return name .. "(" .. add_params(tree, place, method, params) .. ")"
  end
  local digits = source(place, id)
  tree:add(fixed.id, range(place, id), digits)
  local key = pinfo.number .. "|" .. place.from .. digits
  if not pinfo.visited and id.kind ~= "null" then
    local call = {name = name, number = pinfo.number, time = pinfo.abs_ts}
    waiting[place.from .. digits] = call
    asked[key] = call
  end
  local call = asked[key]
  if call and call.answer then tree:add(fixed.answer, call.answer):set_generated() end
  return name .. "(" .. add_params(tree, place, method, params) .. ")"
end

local function add_answer(tree, place, node)
  local pinfo, members = place.pinfo, node.byname
  local id, result = members.id, members.result
  local call
  if id then
    local digits = source(place, id)
    tree:add(fixed.id, range(place, id), digits)
    local key = pinfo.number .. "|" .. place.from .. digits
    if not pinfo.visited then
      answered[key] = waiting[place.to .. digits]
      waiting[place.to .. digits] = nil
      if answered[key] then answered[key].answer = pinfo.number end
    end
    call = answered[key]
  end
  local method = call and METHODS[call.name]
  if call then
    tree:add(fixed.method, call.name):set_generated()
    tree:add(fixed.call, call.number):set_generated()
    local passed = pinfo.abs_ts - call.time
    local whole = math.floor(passed)
    local time = NSTime.new(whole, math.floor((passed - whole) * 1e9))
    tree:add(fixed.time, time):set_generated()
  end
  local name = call and call.name or "answer"
  if members.error then return name .. " " .. add_error(tree, place, members.error) end
  if method and method.subscription and result.kind == "number" then
    if not pinfo.visited then
      subscriptions[place.from .. source(place, result)] = method
    end
    if fits_int64(source(place, result)) then
      tree:add(fixed.subscription, range(place, result), Int64.new(source(place, result)))
    end
    return name .. " is subscription " .. source(place, result)
  end
  if method then
    add_declared(tree, place, method.result, result)
  else
    add_plain(tree, place, "result", result)
  end
  return name .. " = " .. short(source(place, result))
end

local function add_message(tree, place, node)
  if node.kind == "object" then
    local method = node.byname.method
    if method and method.kind == "string" then return add_call(tree, place, node) end
    if not method and (node.byname.result or node.byname.error) then
      return add_answer(tree, place, node)
    end
  end
  local item = add_plain(tree, place, "No message", node)
  item:add_proto_expert_info(malformed, "it is neither a call nor an answer")
  return "no message"
end

local function dissect(tvb, pinfo, tree, at, head, body, tail)
  local item = tree:add(api, tvb(at, head + body + tail))
  item:set_text(TITLE)
  if head > 0 then item:add(fixed.length, tvb(at, head), body) end
  local text = body > 0 and tvb:raw(at + head, body) or ""
  local fine, node = pcall(parse, text)
  if not fine then
    item:add_proto_expert_info(malformed, "it is not JSON: " .. tostring(node))
    item:append_text(", not JSON")
    return "not JSON"
  end
  local place = place_of(tvb, pinfo, at + head, text)
  local said
  if node.kind == "array" then
    local all = {}
    for index, each in ipairs(node.items) do
      local part = item:add(range(place, each), "")
      all[#all + 1] = add_message(part, place, each)
      part:set_text("[" .. index - 1 .. "] " .. all[#all])
    end
    said = "[" .. table.concat(all, ", ") .. "]"
  else
    said = add_message(item, place, node)
  end
  item:append_text(", " .. said)
  return said
end

function api.dissector(tvb, pinfo, tree)
  local total = tvb:len()
  if total >= 3 and tvb(0, 1):uint() == 0x16 and tvb(1, 1):uint() == 0x03 then
    return 0 -- a TLS handshake: let others have it
  end
  pinfo.cols.protocol = TITLE
  local at, said = 0, {}
  while at < total do
    local head, body, tail = frame(tvb, at)
    if head == nil then
      pinfo.desegment_offset = at
      pinfo.desegment_len = body
      break
    elseif head == false then
      local item = tree:add(api, tvb(at))
      item:add_proto_expert_info(malformed, "no frame: " .. body)
      said[#said + 1] = "no frame: " .. body
      at = total
    else
      said[#said + 1] = dissect(tvb, pinfo, tree, at, head, body, tail)
      at = at + head + body + tail
    end
  end
  if #said > 0 then
    -- A frame that ends one message and has others is dissected in two goes.
    local again = seen.number == pinfo.number and seen.visited == pinfo.visited
    seen.number, seen.visited = pinfo.number, pinfo.visited
    if not again then pinfo.cols.info:clear() end
    pinfo.cols.info:append((again and "; " or "") .. table.concat(said, "; "))
    pinfo.cols.info:fence()
  end
  return total
end

forget()
api.init = forget
DissectorTable.get("tcp.port"):add(PORT, api)
DissectorTable.get("tls.port"):add(PORT, api)
"""

-- How a program tells the runner what it has found: a line for each scenario.

local report = {}

io.stdout:setvbuf("line")

-- Run one scenario and say how it went. The others run even if it fails.
function report.scenario(name, steps)
  local fine, reason = pcall(steps)
  if fine then
    print("ok " .. name)
  else
    print("FAIL " .. name .. ": " .. tostring(reason):match("[^\r\n]*"))
  end
end

local function text(value)
  if type(value) ~= "table" then return tostring(value) end
  local words = {}
  for i, element in ipairs(value) do words[i] = text(element) end
  return "{" .. table.concat(words, " ") .. "}"
end

-- Fail unless the two are equal; of tables, their lists are compared.
function report.expect(what, got, wanted)
  if text(got) ~= text(wanted) then
    error(what .. ": " .. text(got) .. ", not " .. text(wanted), 0)
  end
end

-- Have the runner cut the connection with this id; return once it has.
function report.have_cut(client_id)
  print("cut " .. client_id)
  io.read()
end

return report

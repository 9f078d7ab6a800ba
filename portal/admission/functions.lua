#!lua name=dure_admission_3

-- The admission protocol: holds, settlements, limits. See docs/admission.md.
-- Rules kept by every function here:
--   * all checks come before the first write, because an error keeps earlier writes;
--   * amounts are integers of micro-won below 2^53, and numbers are written with %d:
--     tostring() would write 1e+15 and lose digits;
--   * the server's TIME is the only clock;
--   * every key begins with the cell's hash tag, given as KEYS[1];
--   * what is kept by text in local tables (`remembered`) is what that text always means, nothing
--     that a call has changed.

local MAX = 9007199254740991 -- 2^53 - 1
local LEASE_MS = 60000
local SKEW_MS = 5000
local KEEP_S = 600           -- settled and released records answer repetitions for ten minutes
local KEEP_EXPIRED_S = 86400 -- a late settlement finds its expired hold for a day
local KEEP_MARK_S = 86400    -- an Idempotency-Key is remembered for a day after its request ended
local KEEP_ORDER_S = 131 * 86400 -- a committed order answers repetitions 100 days past its month
local KEEP_RUNNING_S = 20 * 366 * 86400 -- where it counts in what has no end
local MOST_TOKENS = 4294967296 -- 2^32: with more, worst_case() would not be exact
local SCALE = 1000000        -- prices are in 10^-6 micro-won per token
local KST_MS = 9 * 3600000
local MOST_REMEMBERED = 4096 -- texts of which the meaning is kept: at most a few megabytes

local function int(text) return tonumber(text) or 0 end

-- A whole number between 0 and 2^53 - 1 from a caller; anything else ends the call unwritten.
local function amount_of(text)
  local number = tonumber(text)
  if not number or number < 0 or number > MAX or number % 1 ~= 0 then
    error({ err = 'ERR not an amount: ' .. tostring(text) })
  end
  return number
end

local function month_from(text)
  local year, month = string.match(text or '', '^(%d%d%d%d)%-(%d%d)$')
  if not year or int(month) < 1 or int(month) > 12 then
    error({ err = 'ERR not a month: ' .. tostring(text) })
  end
  return text, int(year), int(month)
end

-- A month or a year from a caller; returns the year and the last month of it as well.
local function period_from(text)
  local year = string.match(text or '', '^(%d%d%d%d)$')
  if year then return text, int(year), 12 end
  return month_from(text)
end

local function str(number) return string.format('%d', number) end

local function now_ms()
  local time = server.call('TIME')
  return int(time[1]) * 1000 + math.floor(int(time[2]) / 1000)
end

-- Year and month in Korea, from days since 1970 (Howard Hinnant's civil_from_days).
local function civil(ms)
  local z = math.floor((ms + KST_MS) / 86400000) + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local leap_days = math.floor(doe / 1460) - math.floor(doe / 36524) + math.floor(doe / 146096)
  local yoe = math.floor((doe - leap_days) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return yoe + era * 400 + (month <= 2 and 1 or 0), month
end

local function days_of(year, month)
  local y = month <= 2 and year - 1 or year
  local era = math.floor(y / 400)
  local yoe = y - era * 400
  local mp = month > 2 and month - 3 or month + 9
  local doy = math.floor((153 * mp + 2) / 5)
  local doe = yoe * 365 + math.floor(yoe / 4) - math.floor(yoe / 100) + doy
  return era * 146097 + doe - 719468
end

local function month_of(ms)
  local year, month = civil(ms)
  return string.format('%04d-%02d', year, month)
end

-- The month does not change from call to call: kept until the day turns. On a month's first day
-- the one before it is told as well.
local day_known, month_known, month_before = -1, '', nil
local function this_month(ms)
  local day = math.floor((ms + KST_MS) / 86400000)
  if day ~= day_known then
    day_known, month_known, month_before = day, month_of(ms), month_of(ms - 86400000)
    if month_before == month_known then month_before = nil end
  end
  return month_known, month_before
end

local function until_next_month(ms)
  local year, month = civil(ms)
  if month == 12 then year, month = year + 1, 1 else month = month + 1 end
  return days_of(year, month) * 86400000 - KST_MS - ms
end

local function until_next_year(ms)
  return days_of((civil(ms)) + 1, 1) * 86400000 - KST_MS - ms
end

-- ceil((tokens_in * price_in + tokens_out * price_out) / SCALE) without passing 2^53:
-- prices are split into whole micro-won and the rest.
local function worst_case(tokens_in, price_in, tokens_out, price_out)
  local high = tokens_in * math.floor(price_in / SCALE) + tokens_out * math.floor(price_out / SCALE)
  local low = tokens_in * (price_in % SCALE) + tokens_out * (price_out % SCALE)
  return high + math.ceil(low / SCALE)
end

local function split(text)
  local parts = {}
  for part in string.gmatch(text or '', '[^,]+') do parts[#parts + 1] = part end
  return parts
end

-- What a text means, worked out once: prices, limits and chains hardly ever change. Forgotten all
-- at once when there are too many.
local function remembered(work_out)
  local known, count = {}, 0
  return function(text)
    local found = known[text]
    if found == nil then
      if count >= MOST_REMEMBERED then known, count = {}, 0 end
      found = work_out(text)
      known[text], count = found, count + 1
    end
    return found
  end
end

-- The names that requests use, by the cell's tag.
local names_of = remembered(function(tag)
  return { limits = tag .. ':limits', leases = tag .. ':leases', opened = tag .. ':opened',
    events = tag .. ':events', used = tag .. ':used:', request = tag .. ':request:', grant = tag .. ':grant:' }
end)

-- 'amount hard number' and, where the limit is another from some moment on, ' <ms>=<amount>,…'.
local limit_of = remembered(function(text)
  local limit, hard, number, later = string.match(text, '^(%d+) ([01]) (%d+) ?(%S*)$')
  if not limit then error({ err = 'ERR not a limit: ' .. text }) end
  local steps, last = nil, -1
  for _, step in ipairs(split(later)) do
    local at, amount = string.match(step, '^(%d+)=(%d+)$')
    at, amount = amount_of(at), amount_of(amount)
    if at <= last then error({ err = 'ERR not in order of time: ' .. later }) end
    steps, last = steps or {}, at
    steps[#steps + 1], steps[#steps + 2] = at, amount
  end
  limit, hard = int(limit), hard == '1'
  return { limit = limit, hard = hard, most = hard and limit or MAX, number = int(number), steps = steps }
end)

-- The amount of a limit at this moment; most have one for all times.
local function amount_at(limit, ms)
  local amount, steps = limit.limit, limit.steps
  if not steps then return amount end
  ms = ms or now_ms()
  for i = 1, #steps, 2 do
    if ms >= steps[i] then amount = steps[i + 1] end
  end
  return amount
end

-- Names of budgets in a chain: '<subject>' counts by month, '<subject>@year' by fiscal year (which
-- is the calendar year in Korea), '<subject>@<anything else>' without an end.
local function kind_of(name)
  local at = string.find(name, '@', 1, true)
  if not at then return 'month' end
  return string.sub(name, at) == '@year' and 'year' or 'running'
end

-- The period of a kind in which a month (or a year, of an order) lies.
local function period_in(kind, month)
  if kind == 'running' then return kind end
  return kind == 'year' and string.sub(month, 1, 4) or month
end

-- Limits of years are those of one year: 'org_a@year' has 'limit:org_a@2026'.
local function limit_field(name, month)
  if kind_of(name) ~= 'year' then return 'limit:' .. name end
  return 'limit:' .. string.sub(name, 1, -5) .. string.sub(month, 1, 4)
end

-- A chain by the kinds of its periods, months first: names of each, and of all together.
local KINDS = { 'month', 'year', 'running' }
local chain_of = remembered(function(text)
  local by_kind, chain = { month = {}, year = {}, running = {} }, { names = {}, years = {}, more = {} }
  for _, name in ipairs(split(text)) do
    local some = by_kind[kind_of(name)]
    some[#some + 1] = name
  end
  for _, kind in ipairs(KINDS) do
    local some = by_kind[kind]
    if some[1] then chain[#chain + 1] = { kind = kind, names = some } end
    if some[1] and kind ~= 'month' then chain.more[#chain.more + 1] = chain[#chain] end
    for i = 1, #some do chain.names[#chain.names + 1] = some[i] end
  end
  chain.has_years, chain.months = by_kind.year[1] ~= nil, by_kind.month
  return chain
end)

-- The fields of a chain's limits, in the order of its names.
local function limit_fields(chain, month)
  local year = chain.has_years and string.sub(month, 1, 4) or ''
  local fields = chain.years[year]
  if not fields then
    fields = {}
    for i = 1, #chain.names do fields[i] = limit_field(chain.names[i], month) end
    chain.years[year] = fields
  end
  return fields
end

-- Budgets, in one hash of the cell: 'limit:<name>'; and 'more:<subject>', those that count what
-- the subject uses besides the one of its own name and the month.
local function limits_key(tag) return names_of(tag).limits end

-- What is used in a month, a year or without an end, in one hash of the cell each. By name of the
-- budget: spent, committed and held. By 'use:<key>', in the months': the clock minute of its last
-- request, the requests and tokens of that minute, and how many requests run that were admitted in
-- this month. All are doubles, exact up to 2^53: as text they would take a third of a call's time.
local COUNTERS, USE = '>ddd', '>dddd'
local function used_key(tag, period) return names_of(tag).used .. period end
local function use_field(key) return 'use:' .. key end

local function used_of(text)
  if not text then return 0, 0, 0 end
  local spent, committed, held = struct.unpack(COUNTERS, text)
  return spent, committed, held
end

local function counters(spent, committed, held) return struct.pack(COUNTERS, spent, committed, held) end

local function use_of(text)
  if not text then return 0, 0, 0, 0 end
  local minute, requests, tokens, running = struct.unpack(USE, text)
  return minute, requests, tokens, running
end

-- Requests that run and were admitted in the month before: on a month's first day they take a
-- place, too.
local function running_since(tag, month, field)
  if not month then return 0 end
  local _, _, _, running = use_of(server.call('HGET', used_key(tag, month), field))
  return running
end

-- A month's counters go 100 days past it, as its orders do, and a year's past it.
local function seconds_to_keep(period)
  local _, year, number = period_from(period)
  local keep_until = days_of(year, number) * 86400 + KEEP_ORDER_S
  return math.max(keep_until - math.floor(now_ms() / 1000), KEEP_EXPIRED_S)
end

-- `row`: field, counters, … of one period
local function write_used(tag, period, row)
  if server.call('HSET', used_key(tag, period), unpack(row)) > 0 and period ~= 'running' then
    if #period > 4 then server.call('HSET', tag .. ':months', period, '1') end
    server.call('EXPIRE', used_key(tag, period), str(seconds_to_keep(period)))
  end
end

local function used_by(tag, names, period)
  if #names == 0 then return {} end
  return server.call('HMGET', used_key(tag, period), unpack(names))
end

-- Adds to the counters of budgets of one kind, at once.
local function add_to(tag, names, period, spent, committed, held)
  local before, row = used_by(tag, names, period), {}
  for i = 1, #names do
    local s, c, h = used_of(before[i])
    row[2 * i - 1], row[2 * i] = names[i], counters(s + spent, c + committed, h + held)
  end
  write_used(tag, period, row)
end

-- Adds to the counters of a whole chain.
local function add(tag, chain, month, spent, committed, held)
  if spent == 0 and committed == 0 and held == 0 then return end
  for i = 1, #chain do
    add_to(tag, chain[i].names, period_in(chain[i].kind, month), spent, committed, held)
  end
end

local function limits_of(tag, chain, month)
  if #chain == 0 then return {} end
  return server.call('HMGET', limits_key(tag), unpack(limit_fields(chain, month)))
end

-- The most that a budget may have used. A soft one ends where integers do: above, sums would not be
-- exact.
local function most_at(limit, ms)
  if limit.hard and limit.steps then return amount_at(limit, ms) end
  return limit.most
end

-- What is left of a budget.
local function left(limit, ms, spent, committed, held)
  return most_at(limit, ms) - spent - committed - held
end

local function no(reason, name, room, limit, retry_ms, detail)
  return { 'no', reason, name or '', room or '0', limit or '0', str(retry_ms or 0), detail or '' }
end

-- When a budget begins anew; 0: never.
local function until_next(kind, ms)
  if kind == 'running' then return 0 end
  return kind == 'year' and until_next_year(ms) or until_next_month(ms)
end

-- The refusal of the first budget without room for `amount`; or nil and the least that was left of
-- the hard ones. Appends to `row` what to write so that it is held in all of them. `limits` and
-- `used` are as they were read, those of the names after `first` and `skip` other fields. An unknown
-- budget is about to be published: come back soon.
local function find_room(names, limits, first, used, skip, row, amount, ms, kind)
  local least = nil
  for i = 1, #names do
    local name, text = names[i], limits[i + first]
    if not text then return no('budget_unknown', name, '0', '0', 1000) end
    local limit, spent, committed, held = limit_of(text), used_of(used[i + skip])
    local most = limit.most
    if limit.steps then most = most_at(limit, ms) end
    local room = most - spent - committed - held
    if room < amount then
      return no('budget_exceeded', name, str(room), str(amount_at(limit, ms)), ms and until_next(kind, ms))
    end
    if limit.hard and (not least or room < least) then least = room end
    row[#row + 1] = name
    row[#row + 1] = counters(spent, committed, held + amount)
  end
  return nil, least
end

-- The same of a chain's budgets that do not count by month; also what to write: period, row, ….
local function find_more(tag, chain, month, limits, amount, ms, least)
  local first, rows = #chain.months, {}
  for g = 1, #chain.more do
    local kind, names, row = chain.more[g].kind, chain.more[g].names, {}
    local period = period_in(kind, month)
    local full, rest = find_room(names, limits, first, used_by(tag, names, period), 0, row, amount, ms, kind)
    if full then return full end
    if rest and (not least or rest < least) then least = rest end
    rows[#rows + 1], rows[#rows + 2] = period, row
    first = first + #names
  end
  return nil, least, rows
end

-- `more`: as find_more tells it
local function write_more(tag, more)
  for i = 1, #more, 2 do write_used(tag, more[i], more[i + 1]) end
end

-- What still fits into every budget, at most `amount`, never below zero.
local function fitting(tag, chain, month, amount)
  local limits, place = limits_of(tag, chain, month), 0
  for g = 1, #chain do
    local names = chain[g].names
    local used = used_by(tag, names, period_in(chain[g].kind, month))
    for i = 1, #names do
      local text = limits[place + i]
      if text then amount = math.min(amount, math.max(0, left(limit_of(text), nil, used_of(used[i])))) end
    end
    place = place + #names
  end
  return amount
end

-- The budgets that count what these subjects use in this month, of those that have a limit: their
-- own, and the others that count it, too. As text.
local function published(tag, subjects, month)
  local fields, seen, found = {}, {}, {}
  for i = 1, #subjects do fields[i] = 'more:' .. subjects[i] end
  local more = subjects[1] and server.call('HMGET', limits_key(tag), unpack(fields)) or {}
  local names = {}
  for i = 1, #subjects do
    for _, name in ipairs(split(subjects[i] .. ',' .. (more[i] or ''))) do
      if not seen[name] then names[#names + 1], seen[name] = name, true end
    end
  end
  local chain = chain_of(table.concat(names, ','))
  local limits = limits_of(tag, chain, month)
  for i = 1, #chain.names do
    if limits[i] then found[#found + 1] = chain.names[i] end
  end
  return table.concat(found, ',')
end

-- Of a grant what every admission needs, in one field: number, expiry, requests a minute,
-- places, tokens a minute, key, organization, chain of the budgets by month; and only if there are
-- others, their chain: so that functions which know of months alone take such a text for an error.
local FACTS = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (%S+) ?(%S*) ?(%S*)$'
local facts_of = remembered(function(text)
  local number, expires, rpm, concurrency, tpm, key, org, months, others = string.match(text, FACTS)
  if not number then error({ err = 'ERR not a grant: ' .. text }) end
  local names = months == '-' and others or others == '' and months or months .. ',' .. others
  local chain = chain_of(names)
  return { number = number, callers = int(number), expires = int(expires), rpm = int(rpm),
    concurrency = int(concurrency), tpm = int(tpm), key = key, use = use_field(key), org = org,
    names = table.concat(chain.names, ','), chain = chain, months = chain.months, more = chain.more[1] and chain.more,
    limits = not chain.more[1] and limit_fields(chain, ''),
    fields = { use_field(key), unpack(chain.months) } }
end)

-- `head`: the facts up to the organization; `names`: of all budgets
local function facts_with(head, names)
  local chain, others = chain_of(names), {}
  for i = #chain.months + 1, #chain.names do others[#others + 1] = chain.names[i] end
  local months = table.concat(chain.months, ',')
  if not others[1] then return head .. ' ' .. months end
  return head .. ' ' .. (months == '' and '-' or months) .. ' ' .. table.concat(others, ',')
end

-- Records of requests. Of one that is settled or released: '<state> <charged>'. Else three lines:
-- state, worst case, month, and '-' or 'tokens counted,their minute,mark'; the facts of the grant;
-- its hash and the rest of the answer.
local function record_key(tag, id) return names_of(tag).request .. id end

local function record_of(text)
  if not text then return nil end
  local state, amount, month, counted, after = string.match(text, '^(%l+) (%d+) ?(%S*) ?(%S*)()')
  if month == '' then return { state = state, charged = amount } end
  local last = string.find(text, '\n', after + 1, true)
  local facts = facts_of(string.sub(text, after + 1, last - 1))
  return { state = state, worst = tonumber(amount), month = month, counted = counted, facts = facts,
    text = text, last = last + 1 }
end

-- Tokens that a record counted, their minute, and its mark or nil.
local function counted_of(record)
  if record.counted == '-' then return 0, '0', nil end
  local tokens, minute, mark = string.match(record.counted, '^(%d+),(%d+),(%S+)$')
  return tonumber(tokens), minute, mark ~= '-' and mark or nil
end

-- The hash of the key that a record was admitted for, and the rest of the answer or ''.
local function answer_of(record) return string.match(record.text, '^(%S*) ?(.*)$', record.last) end

local function read_record(tag, id) return record_of(server.call('GET', record_key(tag, id))) end

-- Changes at once what a request counts in: the counters of its chain, and the use of its key.
-- `tokens` are free again if the key's last minute is still `minute`.
local function count(tag, facts, month, spent, held, running, tokens, minute)
  local used = server.call('HMGET', used_key(tag, month), unpack(facts.fields))
  local of, requests, counted, before = use_of(used[1])
  if tokens > 0 and of == minute then counted = math.max(0, counted - tokens) end
  local row, names = { facts.use, struct.pack(USE, of, requests, counted, math.max(0, before + running)) },
    facts.months
  for i = 1, #names do
    local s, c, h = used_of(used[i + 1])
    row[2 * i + 1], row[2 * i + 2] = names[i], counters(s + spent, c, h + held)
  end
  write_used(tag, month, row)
  if not facts.more then return end
  for _, some in ipairs(facts.more) do
    add_to(tag, some.names, period_in(some.kind, month), spent, 0, held)
  end
end

-- An open hold ends: what was held is free again, `spent` of it is spent; and so are tokens that
-- were not used, while their minute lasts.
local function end_hold(tag, id, record, spent, used_tokens)
  local unused, minute = 0, 0
  if record.counted ~= '-' then
    local counted, of = counted_of(record)
    unused, minute = counted - used_tokens, tonumber(of)
  end
  count(tag, record.facts, record.month, spent, -record.worst, -1, unused, minute)
  server.call('ZREM', names_of(tag).leases, id)
end

-- Whether the counters are those that the publisher opened the cell with. Between a loss and the
-- next opening they may be too small, and what has no hold would find room that is not there.
local function must_be_validated(tag)
  local epoch, run = unpack(server.call('MGET', tag .. ':opened', tag .. ':run'))
  if not epoch or (run and string.match(server.call('INFO', 'server'), 'run_id:(%x+)') ~= run) then
    error({ err = 'ERR closed: the counters are being checked' })
  end
end

-- What is kept of a request that ended: as little as answers a repetition.
local function keep_end(tag, id, state, charged)
  server.call('SET', record_key(tag, id), state .. ' ' .. charged, 'EX', KEEP_S)
end

-- Marks of Idempotency-Keys: '<running or ended> <fingerprint> <request id> <charged> <outcome>'.
-- A string and not a hash, because a day of them is kept.
local function mark_key(tag, mark) return tag .. ':idem:' .. mark end

local function set_mark(tag, mark, state, fingerprint, id, charged, outcome)
  local text = table.concat({ state, fingerprint, id, str(charged), outcome }, ' ')
  server.call('SET', mark_key(tag, mark), text, 'EX', KEEP_MARK_S)
end

local function read_mark(text)
  return string.match(text or '', '^(%S+) (%S+) (%S+) (%d+) (%S+)$')
end

-- What a second request with the same key is told; nil if it may run, because the first one was
-- refused before it reached a site. A lease that ran out took the first one's end with it.
local function repeated(tag, text, fingerprint)
  local state, first, id, charged, outcome = read_mark(text)
  if not state then return nil end
  if state == 'running' then
    local first_of = read_record(tag, id)
    if first_of and first_of.state == 'released' then return nil end
    state = first_of and first_of.state or 'expired'
    charged = first_of and first_of.charged or '0'
  end
  if first ~= fingerprint then return no('idempotency_other', id) end
  if state == 'open' then return no('idempotency_running', id, '0', '0', 1000) end
  if state == 'expired' then return no('idempotency_lost', id) end
  return no('idempotency_ended', id, charged, '0', 0, outcome)
end

local function end_mark(tag, id, mark, charged, outcome)
  local _, fingerprint = read_mark(server.call('GET', mark_key(tag, mark)))
  if fingerprint then set_mark(tag, mark, 'ended', fingerprint, id, charged, outcome) end
end

-- The answer to an admit, with the grant if the caller's is older.
local function admitted(tag, sha, answer, number, callers_number)
  if number <= callers_number then return { 'ok', answer } end
  return { 'ok', answer, server.call('HGET', names_of(tag).grant .. sha, 'blob') }
end

-- The same admit again: the same answer while its hold is open. An id is good for one request.
local function asked_before(tag, text, sha, callers_number)
  local record = record_of(text)
  if record.state ~= 'open' then return no('request_id_used') end
  local by, rest = answer_of(record)
  if by ~= sha or rest == '' then return no('request_id_used') end
  local answer = str(record.worst) .. ' ' .. record.month .. ' ' .. rest
  return admitted(tag, sha, answer, record.facts.callers, callers_number)
end

local function is_skewed(id, ms)
  local born = tonumber(string.sub(id, 1, 8) .. string.sub(id, 10, 13), 16)
  return not born or math.abs(born - ms) > SKEW_MS
end

local price_of = remembered(function(text)
  local price = cjson.decode(text)
  if not price.endpoint or not price.price_version then error({ err = 'ERR not a price: ' .. text }) end
  price.price_in, price.price_out = amount_of(price.price_in), amount_of(price.price_out)
  return price
end)

-- ARGV: epoch, sha, request id, model, tokens in, tokens out, number of the caller's grant, kind,
-- mark of the Idempotency-Key or '', fingerprint of the request
local function admit(keys, argv)
  local tag = keys[1]
  local epoch, sha, id, model, kind, mark = argv[1], argv[2], argv[3], argv[4], argv[8], argv[9] or ''
  local tokens_in, tokens_out, callers_number = amount_of(argv[5]), amount_of(argv[6]), amount_of(argv[7])
  if mark ~= '' and not string.match(argv[10] or '', '^%S+$') then error({ err = 'ERR no fingerprint' }) end
  local ms = now_ms()
  local text, price = unpack(server.call('HMGET', names_of(tag).grant .. sha, 'facts', 'm:' .. model))
  local known = mark == '' and server.call('MGET', names_of(tag).opened, record_key(tag, id))
    or server.call('MGET', names_of(tag).opened, record_key(tag, id), mark_key(tag, mark))
  if known[1] ~= epoch then return no('closed', '', '0', '0', 1000) end
  if not text then return no('key_unknown') end
  local facts = facts_of(text)
  local key, rpm, tpm = facts.key, facts.rpm, facts.tpm
  if facts.expires > 0 and facts.expires <= ms then return no('key_expired') end
  if not price then return no('model_unknown', model) end
  price = price_of(price)
  if price.kind ~= kind then return no('wrong_kind', model) end

  local before = (known[2] and asked_before(tag, known[2], sha, callers_number))
    or (is_skewed(id, ms) and no('clock_skew'))
    or (mark ~= '' and repeated(tag, known[3], argv[10]))
  if before then return before end

  local minute, month, month_before = math.floor(ms / 60000), this_month(ms)
  local reset, tokens = (minute + 1) * 60000 - ms, tokens_in + tokens_out
  local used = server.call('HMGET', used_key(tag, month), unpack(facts.fields))
  local of, requests, counted, running = use_of(used[1])
  if of ~= minute then requests, counted = 0, 0 end
  if requests >= rpm then return no('rate', key, '0', str(rpm), reset) end
  if tpm > 0 and tokens > tpm - counted then
    local wait = tokens > tpm and 0 or reset -- too large by itself: no minute will take it
    return no('tokens', key, str(math.max(0, tpm - counted)), str(tpm), wait, str(tokens))
  end
  if running + running_since(tag, month_before, facts.use) >= facts.concurrency then
    return no('concurrency', key, '0', str(facts.concurrency), 1000)
  end

  if tokens_in > MOST_TOKENS or tokens_out > MOST_TOKENS then return no('too_large') end
  local worst = worst_case(tokens_in, price.price_in, tokens_out, price.price_out)
  if worst > MAX then return no('too_large') end
  if tpm == 0 then tokens = 0 end
  local row = { facts.use, struct.pack(USE, minute, requests + 1, counted + tokens, running + 1) }
  local limits, more = nil, nil
  if facts.more then
    limits = limits_of(tag, facts.chain, month)
  elseif facts.months[1] then
    limits = server.call('HMGET', limits_key(tag), unpack(facts.limits))
  end
  local full, least = find_room(facts.months, limits, 0, used, 1, row, worst, ms, 'month')
  if facts.more and not full then
    full, least, more = find_more(tag, facts.chain, month, limits, worst, ms, least)
  end
  if full then return full end

  write_used(tag, month, row)
  if more then write_more(tag, more) end
  server.call('ZADD', names_of(tag).leases, str(ms + LEASE_MS), id)
  if mark ~= '' then set_mark(tag, mark, 'running', argv[10], id, 0, '-') end
  local rest = string.format('%s %s %s %d %d %d %s %.0f %d %d', facts.number, price.price_version, price.endpoint,
    rpm, rpm - requests - 1, reset, least and str(least - worst) or '-', ms,
    tpm, math.max(0, tpm - counted - tokens))
  local first = string.format('%d %s', worst, month)
  local of = (tpm > 0 or mark ~= '') and str(tokens) .. ',' .. str(minute) .. ',' .. (mark ~= '' and mark or '-') or '-'
  server.call('SET', record_key(tag, id), 'open ' .. first .. ' ' .. of .. '\n' .. text .. '\n' .. sha .. ' ' .. rest)
  return admitted(tag, sha, first .. ' ' .. rest, facts.callers, callers_number)
end

-- ARGV: request ids. Returns those that were refused: their streams must end.
local function renew(keys, argv)
  local tag, ms, refused = keys[1], now_ms(), {}
  for _, id in ipairs(argv) do
    local record = read_record(tag, id)
    local live = record and record.state == 'open'
    if live then
      local grant = server.call('HMGET', names_of(tag).grant .. (answer_of(record)), 'revoked', 'expires')
      live = grant[1] == '0' and (int(grant[2]) == 0 or int(grant[2]) > ms)
    end
    if live then
      server.call('ZADD', names_of(tag).leases, 'XX', str(ms + LEASE_MS), id)
    else
      refused[#refused + 1] = id
    end
  end
  return refused
end

-- ARGV: request id, cost, event, tokens used or '' if nobody knows, outcome. Harmless when
-- repeated. An unknown or released request leaves the counters alone: its event is marked late
-- and intake decides.
local function settle(keys, argv)
  local tag, id, cost, event = keys[1], argv[1], amount_of(argv[2]), argv[3]
  if not event then error({ err = 'ERR no event' }) end
  local used = amount_of(argv[4] and argv[4] ~= '' and argv[4] or MAX)
  local record = read_record(tag, id)
  local state, charged, late = record and record.state, 0, '0'
  if state == 'settled' then return { 'repeated', record.charged } end
  if state ~= 'open' then must_be_validated(tag) end
  if state == 'open' then
    charged = math.min(cost, record.worst)
    end_hold(tag, id, record, charged, used)
  elseif state == 'expired' then
    charged = fitting(tag, record.facts.chain, record.month, cost)
    add(tag, record.facts.chain, record.month, charged, 0, 0)
  else
    late = '1'
  end
  if late == '0' and record.counted ~= '-' then
    local _, _, mark = counted_of(record)
    if mark then end_mark(tag, id, mark, charged, string.match(argv[5] or '', '^%S+$') or '-') end
  end
  local told = str(charged)
  keep_end(tag, id, 'settled', told)
  server.call('XADD', names_of(tag).events, '*', 'event', event, 'settled_micro', told,
    'written_off_micro', str(cost - charged), 'late', late)
  return { late == '1' and 'late' or 'settled', told }
end

-- ARGV: request id, cost, month, subjects. For events that settle found unknown: charged once,
-- as far as there is room. Not while the cell is closed: its counters may be too small.
local function charge_late(keys, argv)
  local tag, id, cost, month = keys[1], argv[1], amount_of(argv[2]), month_from(argv[3])
  local marker = tag .. ':late:' .. id
  local before = server.call('GET', marker)
  if before then return before end
  must_be_validated(tag)
  local chain = chain_of(published(tag, split(argv[4]), month))
  local charged = fitting(tag, chain, month, cost)
  add(tag, chain, month, charged, 0, 0)
  server.call('SET', marker, str(charged), 'EX', KEEP_EXPIRED_S)
  return str(charged)
end

-- ARGV: request id. For a request that reached no site; also for one whose admit timed out and
-- may yet be executed: the tombstone refuses it then.
local function release(keys, argv)
  local tag, id = keys[1], argv[1]
  local record = read_record(tag, id)
  if record and record.state ~= 'open' then return record.state end
  if record then
    end_hold(tag, id, record, 0, 0)
    local _, _, mark = counted_of(record)
    if mark then server.call('DEL', mark_key(tag, mark)) end
  end
  keep_end(tag, id, 'released', '0')
  return record and 'released' or 'unknown'
end

-- At most 100 leases that ran out. Nothing is charged; an orphan is reported.
local function expire(keys)
  local tag = keys[1]
  local ids = server.call('ZRANGE', names_of(tag).leases, '-inf', str(now_ms()), 'BYSCORE', 'LIMIT', '0', '100')
  for _, id in ipairs(ids) do
    local text = server.call('GET', record_key(tag, id))
    local record = record_of(text)
    if record and record.state == 'open' then
      end_hold(tag, id, record, 0, MAX) -- nobody knows what was used: the tokens stay counted
      server.call('SET', record_key(tag, id), 'expired' .. string.sub(text, 5), 'EX', KEEP_EXPIRED_S)
      server.call('XADD', tag .. ':orphans', '*', 'request_id', id, 'organization', record.facts.org,
        'hold_micro', str(record.worst))
    else
      server.call('ZREM', names_of(tag).leases, id)
    end
  end
  return #ids
end

local function order_key(tag, ref, month) return tag .. ':order:' .. ref .. ':' .. month end

-- Orders whose reservation is neither committed nor freed yet, by the time of the reservation.
local function reserved_key(tag) return tag .. ':reserved' end

-- The chain of an order: what is held for a whole year cannot be told by month.
local function order_chain(text, period)
  local chain = chain_of(text or '')
  if chain.months[1] then month_from(period) end
  return chain
end

-- ARGV: reference, month or year, amount, names of budgets. An order's worst case is held until
-- its row is kept.
local function reserve(keys, argv)
  local tag, ref, month, amount = keys[1], argv[1], period_from(argv[2]), amount_of(argv[3])
  local before = server.call('HMGET', order_key(tag, ref, month), 'state', 'amount')
  if before[1] then return { 'ok', before[1], before[2] } end
  local chain, row = order_chain(argv[4], month), {}
  local used = used_by(tag, chain.months, month)
  local limits, more = limits_of(tag, chain, month), nil
  local full = find_room(chain.months, limits, 0, used, 0, row, amount)
  if not full then
    local _
    full, _, more = find_more(tag, chain, month, limits, amount)
  end
  if full then return full end
  if row[1] then write_used(tag, month, row) end
  write_more(tag, more)
  server.call('HSET', order_key(tag, ref, month), 'state', 'held', 'amount', str(amount), 'budgets', argv[4])
  server.call('ZADD', reserved_key(tag), str(now_ms()), month .. ':' .. ref)
  return { 'ok', 'held', str(amount) }
end

-- An order is known as long as what it counts in is kept: else it would count twice when its row
-- is told again.
local function keep_order(name, chain, year, number)
  local kind = chain[1] and chain[#chain].kind
  local now = math.floor(now_ms() / 1000)
  local keep_until = days_of(year, kind == 'year' and 12 or number) * 86400 + KEEP_ORDER_S
  if kind == 'running' then keep_until = now + KEEP_RUNNING_S end
  local tomorrow = now + KEEP_EXPIRED_S
  server.call('EXPIREAT', name, str(math.max(keep_until, tomorrow)))
end

-- ARGV: reference, month or year, amount, names of budgets. Held or committed becomes committed
-- with `amount`; unknown is committed as well, because its row in PostgreSQL says so.
local function commit(keys, argv)
  local tag, ref, amount = keys[1], argv[1], amount_of(argv[3])
  local month, year, number = period_from(argv[2])
  local name = order_key(tag, ref, month)
  local before = server.call('HMGET', name, 'state', 'amount', 'budgets')
  local was, committed = int(before[2]), before[1] == 'committed'
  local chain = order_chain(argv[4], month)
  add(tag, chain_of(before[3] or ''), month, 0, committed and -was or 0, committed and 0 or -was)
  add(tag, chain, month, 0, amount, 0)
  server.call('HSET', name, 'state', 'committed', 'amount', str(amount), 'budgets', argv[4])
  keep_order(name, chain, year, number)
  server.call('ZREM', reserved_key(tag), month .. ':' .. ref)
  return 'committed'
end

-- ARGV: reference, month or year. For an order whose row was not kept.
local function unreserve(keys, argv)
  local tag, ref, month = keys[1], argv[1], period_from(argv[2])
  local before = server.call('HMGET', order_key(tag, ref, month), 'state', 'amount', 'budgets')
  if before[1] ~= 'held' then return before[1] or 'unknown' end
  add(tag, chain_of(before[3]), month, 0, 0, -int(before[2]))
  server.call('DEL', order_key(tag, ref, month))
  server.call('ZREM', reserved_key(tag), month .. ':' .. ref)
  return 'released'
end

-- ARGV: age in ms. At most 100 orders (period:reference) that have been held for longer: the
-- sweep looks for their rows and commits or frees them.
local function stale_orders(keys, argv)
  local before = str(now_ms() - amount_of(argv[1]))
  return server.call('ZRANGE', reserved_key(keys[1]), '-inf', before, 'BYSCORE', 'LIMIT', '0', '100')
end

-- Of a limit's name: the kind, the budget's name in a chain, and its period if that is one alone.
-- Limits of months are those of every month: 'org_a'; of years those of one: 'org_a@2026'.
local function of_limit(name)
  local subject, year = string.match(name, '^(.*)@(%d%d%d%d)$')
  if year then return 'year', subject .. '@year', year end
  local kind = kind_of(name)
  if kind == 'year' then error({ err = 'ERR which year: ' .. name }) end
  return kind, name, kind == 'running' and kind or nil
end

-- The most that is used of a budget in its period; by month: in this month or a later one.
local function most_used(tag, limit_name, month)
  local _, name, period = of_limit(limit_name)
  local periods, most = { period, '1' }, 0
  if not period then periods = server.call('HGETALL', tag .. ':months') end
  for i = 1, #periods, 2 do
    if period or periods[i] >= month then
      local spent, committed, held = used_of(server.call('HGET', used_key(tag, periods[i]), name))
      most = math.max(most, spent + committed + held)
    end
  end
  return most
end

local function limit_text(limit, hard, number, steps)
  local text = string.format('%d %s %d', limit, hard == '1' and '1' or '0', number)
  if steps and steps ~= '' then text = text .. ' ' .. steps end
  limit_of(text)
  return text
end

local function write_limit(tag, name, text)
  server.call('HSET', limits_key(tag), 'limit:' .. name, text)
end

-- The months of which nothing is kept any more are forgotten.
local function forget_months(tag, month)
  local months = server.call('HGETALL', tag .. ':months')
  for i = 1, #months, 2 do
    if months[i] < month and server.call('EXISTS', used_key(tag, months[i])) == 0 then
      server.call('HDEL', tag .. ':months', months[i])
    end
  end
end

-- ARGV: name of the limit, amount, hard, number, later amounts as '<ms>=<amount>,…' in order of
-- time. What a hard limit allows now is never lowered below what is used: by month, in this one or
-- committed in a later one. A later amount may lie below: nothing is added then.
local function set_limit(keys, argv)
  local tag, name, limit, hard, number = keys[1], argv[1], amount_of(argv[2]), argv[3], amount_of(argv[4])
  local text, ms = limit_text(limit, hard, number, argv[5]), now_ms()
  local month = this_month(ms)
  local used = most_used(tag, name, month)
  local known = server.call('HGET', limits_key(tag), 'limit:' .. name)
  if known then
    local before, after = limit_of(known), left(limit_of(text), ms, 0, 0, 0)
    if before.number > number then return { 'no', 'older_number', str(used) } end
    if after < used and after < left(before, ms, 0, 0, 0) then return { 'no', 'below_used', str(used) } end
  end
  write_limit(tag, name, text)
  forget_months(tag, month)
  return { 'ok', 'set', str(used) }
end

-- ARGV: name of a new budget's limit, period, spent. What its period has spent by now, before it
-- is published: only while it has no limit yet.
local function begin(keys, argv)
  local tag, _, name = keys[1], of_limit(argv[1])
  local period, spent = argv[2] == 'running' and argv[2] or period_from(argv[2]), amount_of(argv[3])
  if server.call('HGET', limits_key(tag), 'limit:' .. argv[1]) then return 'known' end
  write_used(tag, period, { name, counters(spent, 0, 0) })
  return 'begun'
end

-- ARGV: subject, names of budgets that count what it uses, besides the one of its own name and the
-- month; or '' for none. For what comes late and knows its subjects only.
local function set_more(keys, argv)
  if argv[2] == '' then
    server.call('HDEL', limits_key(keys[1]), 'more:' .. argv[1])
  else
    server.call('HSET', limits_key(keys[1]), 'more:' .. argv[1], argv[2])
  end
  return 'set'
end

-- limit, hard, spent, committed, held of a budget; nil if nobody published it
local function standing(tag, name, month)
  local text = server.call('HGET', limits_key(tag), limit_field(name, month))
  if not text then return nil end
  local period = period_in(kind_of(name), month)
  local limit, spent, committed, held = limit_of(text), used_of(server.call('HGET', used_key(tag, period), name))
  return { str(amount_at(limit)), limit.hard and '1' or '0', str(spent), str(committed), str(held) }
end

-- ARGV: name of a budget, month or year. Returns limit, hard, spent, committed, held, or nothing.
local function read_budget(keys, argv) return standing(keys[1], argv[1], argv[2]) or {} end

-- The id of the newest event that the cell's stream ever had.
local function last_event(tag)
  local name = tag .. ':events'
  if server.call('EXISTS', name) == 0 then return '0-0' end
  local about = server.call('XINFO', 'STREAM', name)
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then return about[i + 1] end
  end
end

-- ARGV: name of a budget, period, spent, committed or '', id of the last event that was counted or ''.
-- Only while the cell is closed, and only if no settlement came since it was counted: otherwise
-- its charge would be overwritten.
local function restore(keys, argv)
  local tag, name, spent = keys[1], argv[1], amount_of(argv[3])
  local period = argv[2] == 'running' and argv[2] or period_from(argv[2])
  local committed = argv[4] ~= '' and amount_of(argv[4])
  if server.call('EXISTS', tag .. ':opened') == 1 then return 'open' end
  if argv[5] and argv[5] ~= '' and argv[5] ~= last_event(tag) then return 'moved' end
  local _, before, held = used_of(server.call('HGET', used_key(tag, period), name))
  write_used(tag, period, { name, counters(spent, committed or before, held) })
  return 'restored'
end

-- ARGV: as of set_limit. Only while the cell is closed: the limit of the row counts,
-- also below what an older copy of the counters says is used. A newer number stays.
local function restore_limit(keys, argv)
  local tag, name, limit, number = keys[1], argv[1], amount_of(argv[2]), amount_of(argv[4])
  local text = limit_text(limit, argv[3], number, argv[5])
  if server.call('EXISTS', tag .. ':opened') == 1 then return 'open' end
  local known = server.call('HGET', limits_key(tag), 'limit:' .. name)
  if known and limit_of(known).number > number then return 'older_number' end
  write_limit(tag, name, text)
  return 'restored'
end

-- Whether a gateway may still tell in this round. Once the cell is being counted, a settlement would
-- come into the ledger and not into the counters, and a hold would be that of a request that has
-- been counted.
local function may_tell(tag, round)
  local closed, counting = unpack(server.call('MGET', tag .. ':closed', tag .. ':counting'))
  return closed == round and not counting
end

-- ARGV: round, request id, sha, month, worst, budgets, key, org. A hold that was admitted and
-- is live, said by its gateway: it counts again, without being refused.
local function reassert(keys, argv)
  local tag, id, month, worst = keys[1], argv[2], month_from(argv[4]), amount_of(argv[5])
  if not may_tell(tag, argv[1]) then return 'over' end
  local before = read_record(tag, id)
  local state = before and before.state
  if state == 'settled' or state == 'released' then return state end
  if state ~= 'open' then
    local names = published(tag, split(argv[6]), month)
    local facts = facts_with(table.concat({ '0 0 0 0 0', argv[7], argv[8] }, ' '), names)
    count(tag, facts_of(facts), month, 0, worst, 1, 0, 0)
    server.call('SET', record_key(tag, id), string.format('open %d %s -\n%s\n%s', worst, month, facts, argv[3]))
  end
  server.call('ZADD', names_of(tag).leases, str(now_ms() + LEASE_MS), id)
  return 'open'
end

-- ARGV: round, request id, cost, charged, event. A settlement that was acknowledged with this
-- charge, said by its gateway's journal: it stands again as it stood.
local function resettle(keys, argv)
  local tag, id, cost, charged = keys[1], argv[2], amount_of(argv[3]), amount_of(argv[4])
  if not argv[5] then error({ err = 'ERR no event' }) end
  if not may_tell(tag, argv[1]) then return 'over' end
  local record = read_record(tag, id)
  if record and record.state == 'settled' then return 'repeated' end
  if record and record.state == 'open' then end_hold(tag, id, record, charged, MAX) end
  keep_end(tag, id, 'settled', str(charged))
  server.call('XADD', tag .. ':events', '*', 'event', argv[5], 'settled_micro', str(charged),
    'written_off_micro', str(cost - charged), 'late', '0')
  return 'settled'
end

-- ARGV: round, request ids that the ledger has. From the first call on the cell is being counted.
-- Where an older copy of the counters shows a hold of one of them, open or lapsed, it ends here and
-- is forgotten: a settlement that is told again is late then, and intake leaves it alone. By its
-- hold it would be charged a second time.
local function end_booked(keys, argv)
  local tag, ended = keys[1], 0
  if server.call('GET', tag .. ':closed') ~= argv[1] then return 'over' end
  server.call('SET', tag .. ':counting', '1')
  for i = 2, #argv do
    local record = read_record(tag, argv[i])
    local state = record and record.state
    if state == 'open' then end_hold(tag, argv[i], record, 0, MAX) end
    if state == 'open' or state == 'expired' then
      server.call('DEL', record_key(tag, argv[i]))
      ended = ended + 1
    end
  end
  return ended
end

-- ARGV: sha, number, revoked, expires, rpm, concurrency, key, org, budgets, tpm, blob, then pairs of
-- model name and its price as JSON. An older number is refused; a revoked grant comes back only
-- with a newer one. The facts of a revoked one are past: nothing is admitted by them.
local function publish_grant(keys, argv)
  local name, number = keys[1] .. ':grant:' .. argv[1], amount_of(argv[2])
  local before = server.call('HMGET', name, 'number', 'revoked')
  if int(before[1]) > number then return 'older' end
  if int(before[1]) == number and before[2] == '1' and argv[3] ~= '1' then return 'older' end
  local head = table.concat({ str(number), argv[4], argv[5], argv[6], argv[10], argv[7], argv[8] }, ' ')
  local facts = facts_with(head, argv[9])
  facts_of(facts)
  local row = { 'number', str(number), 'revoked', argv[3], 'expires', argv[4], 'blob', argv[11],
    argv[3] == '1' and 'past' or 'facts', facts }
  for i = 12, #argv, 2 do
    row[#row + 1] = 'm:' .. argv[i]
    row[#row + 1] = argv[i + 1]
  end
  server.call('DEL', name)
  for i = 1, #row, 100 do server.call('HSET', name, unpack(row, i, math.min(i + 99, #row))) end
  return 'published'
end

-- ARGV: epoch, run id of the server or nothing. Opens the cell for admission; an epoch older than
-- the last, or than the round that closed it, is refused.
local function open_cell(keys, argv)
  local epoch, tag = amount_of(argv[1]), keys[1]
  if int(server.call('GET', tag .. ':last_epoch')) > epoch then return 'older' end
  if int(server.call('GET', tag .. ':closed')) > epoch then return 'older' end
  server.call('DEL', tag .. ':closed', tag .. ':counting')
  server.call('SET', tag .. ':last_epoch', str(epoch))
  server.call('SET', tag .. ':opened', str(epoch))
  if argv[2] then server.call('SET', tag .. ':run', argv[2]) else server.call('DEL', tag .. ':run') end
  return 'open'
end

local function stream_id(text)
  local ms, number = string.match(text, '^(%d+)%-(%d+)$')
  return int(ms), int(number)
end

-- New events get ids above this one, also on a server whose clock or stream lies behind it.
local function advance(tag, to)
  local name = tag .. ':events'
  local ms, number = stream_id(to)
  local last_ms, last_number = stream_id(last_event(tag))
  if ms < last_ms or (ms == last_ms and number <= last_number) then return end
  if server.call('EXISTS', name) == 0 then -- an empty stream: made with a group, which goes again
    server.call('XGROUP', 'CREATE', name, 'made', '0', 'MKSTREAM')
    server.call('XGROUP', 'DESTROY', name, 'made')
  end
  server.call('XSETID', name, to)
end

-- ARGV: round, id of the last event that the ledger has; or nothing. An older round is refused.
local function close_cell(keys, argv)
  local tag = keys[1]
  if argv[1] then
    if int(server.call('GET', tag .. ':closed')) > amount_of(argv[1]) then return 'older' end
    server.call('SET', tag .. ':closed', argv[1])
  end
  server.call('DEL', tag .. ':opened', tag .. ':counting')
  if argv[2] then advance(tag, argv[2]) end
  return 'closed'
end

-- What an admit of this key would look at now: published, revoked, expires, limits, windows, chain.
local function grant_now(tag, sha, ms, wanted)
  local name = names_of(tag).grant .. sha
  local revoked, expires, now, past = unpack(server.call('HMGET', name, 'revoked', 'expires', 'facts', 'past'))
  if not (now or past) then return { sha } end
  local facts = facts_of(now or past)
  local month, month_before = this_month(ms)
  local minute, requests, tokens, running = use_of(server.call('HGET', used_key(tag, month), facts.use))
  if minute ~= math.floor(ms / 60000) then requests, tokens = 0, 0 end
  running = running + running_since(tag, month_before, facts.use)
  return { sha, revoked, expires, str(facts.rpm), str(facts.concurrency), facts.names,
    str(requests), str(tokens), str(running),
    sha == wanted and server.call('HGET', name, 'blob') or '' }
end

-- ARGV: hash of the key whose whole grant is wanted or '', then hashes of keys. Returns the time,
-- the epoch or '', ms until the next minute and the next month, this month, a row for each key,
-- one for each budget of their chains: name, then limit, hard, spent, committed, held; and ms until
-- the next year.
local function read_limits(keys, argv)
  local tag, ms, rows, budgets, seen = keys[1], now_ms(), {}, {}, {}
  local minute, month = math.floor(ms / 60000), this_month(ms)
  for i = 2, #argv do
    local row = grant_now(tag, argv[i], ms, argv[1])
    rows[#rows + 1] = row
    for _, subject in ipairs(split(row[6])) do
      local budget = not seen[subject] and standing(tag, subject, month)
      if budget then
        budgets[#budgets + 1] = { subject, unpack(budget) }
      end
      seen[subject] = true
    end
  end
  return { str(ms), server.call('GET', tag .. ':opened') or '', str((minute + 1) * 60000 - ms),
    str(until_next_month(ms)), month, rows, budgets, str(until_next_year(ms)) }
end

-- Which text this is: a gateway is ready only with the functions that it was built with.
local function digest() return '@digest@' end

-- A full server refuses what would need more of it (admit, reserve) and does everything else:
-- running answers settle, holds end, keys are revoked, cells are closed and restored.
local function register(name, callback, flags)
  server.register_function{ function_name = name, callback = callback, flags = flags }
end

register('admit_3', admit, {})
register('reserve_3', reserve, {})
register('renew_3', renew, { 'allow-oom' })
register('settle_3', settle, { 'allow-oom' })
register('charge_late_3', charge_late, { 'allow-oom' })
register('release_3', release, { 'allow-oom' })
register('expire_3', expire, { 'allow-oom' })
register('commit_3', commit, { 'allow-oom' })
register('unreserve_3', unreserve, { 'allow-oom' })
register('stale_orders_3', stale_orders, { 'no-writes' })
register('set_limit_3', set_limit, { 'allow-oom' })
register('begin_3', begin, { 'allow-oom' })
register('set_more_3', set_more, { 'allow-oom' })
register('read_budget_3', read_budget, { 'no-writes' })
register('restore_3', restore, { 'allow-oom' })
register('restore_limit_3', restore_limit, { 'allow-oom' })
register('reassert_3', reassert, { 'allow-oom' })
register('resettle_3', resettle, { 'allow-oom' })
register('end_booked_3', end_booked, { 'allow-oom' })
register('publish_grant_3', publish_grant, { 'allow-oom' })
register('open_cell_3', open_cell, { 'allow-oom' })
register('close_cell_3', close_cell, { 'allow-oom' })
register('library_3', digest, { 'no-writes' })
register('read_limits_3', read_limits, { 'no-writes' })

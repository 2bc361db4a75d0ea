-- SPDX-License-Identifier: BSD-2-Clause
-- Rspamd: what Ringback has written on a message becomes symbols. To /etc/rspamd/plugins.d/; see rspamd.conf.local.
--
-- X-Ringback counts as ours where there is one, where no more Received fields stand above it than `received_above`, and where it
-- names the sender that the MTA names. It rests on Ringback having seen the message: it removes what others wrote into
-- such fields. Who is in its trusted_networks is let through unseen, with all fields; such clients are to be in local_addrs
-- or a settings rule here, too.

local N = 'ringback'
local settings = {authserv_id = '', received_above = 0}

local symbols = {
  RINGBACK_VALID = {-0.5, 'the mailbox of the sender exists'},
  RINGBACK_INVALID = {5.0, 'the mailbox of the sender does not exist'},
  RINGBACK_UNKNOWN = {0.0, 'whether the mailbox of the sender exists could not be found out'},
  RINGBACK_HEADER_INVALID = {4.0, 'an address in From, Reply-To or Sender does not exist'},
  RINGBACK_CLIENT_CONFIRMED = {-0.5, 'the host that the client claims to be says that it has sent this'},
  RINGBACK_CLIENT_DENIED = {5.0, 'the host that the client claims to be says that it has not sent this'},
  RINGBACK_FOREIGN = {0.0, 'X-Ringback that is not of our Ringback, or not of this message'},
}

-- An address as X-Ringback shows it, but for case and what quotes a local part, which Rspamd may take away.
local function shown(address)
  return address:lower():gsub('[^ -~]', '?'):gsub('[<>;]', '?'):gsub('["\\]', '')
end

local function sender_of(task)
  local from = task:get_from('smtp')

  return from and from[1] and from[1].addr or ''
end

-- Where the first Received field of a message stands that is not ours.
local function first_received(task)
  local fields = task:get_header_full('Received') or {}
  local orders = {}

  for _, field in ipairs(fields) do orders[#orders + 1] = field.order end
  table.sort(orders)
  return orders[settings.received_above + 1] or math.huge
end

-- verdict, reason, fate ("header=from:no_such_user", "client=denied") of X-Ringback; nil where there is none of ours.
local function read_ringback(task)
  local fields = task:get_header_full('X-Ringback') or {}
  local value, verdict, reason, rest, sender

  if #fields == 0 then return nil end
  value = fields[1].decoded or fields[1].value
  verdict, reason, rest = value:match('^(%l+); reason=([%l_]+);(.*)$')
  sender = rest and rest:match(' sender=<([^;]*)>; mx=')
  if #fields > 1 or not sender or fields[1].order > first_received(task) or
      shown(sender) ~= shown(sender_of(task)) then
    task:insert_result('RINGBACK_FOREIGN', 1.0)
    return nil
  end
  return verdict, reason, rest
end

-- What our own Authentication-Results say of the client. Behind smtp.helo= stands what the client has said.
local function read_client(task)
  if settings.authserv_id == '' then return nil end
  for _, field in ipairs(task:get_header_full('Authentication-Results') or {}) do
    local value = field.decoded or field.value
    local id, results = value:match('^([^; ]+)(;.*)$')

    if id == settings.authserv_id and field.order < first_received(task) then
      results = results:gsub('^; x%-callback=%l+ reason="[%l_]+" smtp%.mailfrom=[^%s;]+', '')
      local result = results:match('^; x%-ayttm=(%l+)')
      if result then return result end
    end
  end
  return nil
end

local function check(task)
  local verdict, reason, rest = read_ringback(task)
  local client = read_client(task)

  if verdict == 'valid' then
    task:insert_result('RINGBACK_VALID', 1.0, reason)
  elseif verdict == 'invalid' then
    task:insert_result('RINGBACK_INVALID', 1.0, reason)
  elseif verdict == 'unknown' and reason ~= 'exempt' then
    task:insert_result('RINGBACK_UNKNOWN', 1.0, reason)
  end
  if rest then
    local field, why = rest:match('>; mx=.*; header=([%l-]+):([%l_]+); id=%w+$')

    if field then task:insert_result('RINGBACK_HEADER_INVALID', 1.0, field, why) end
    client = client or rest:match('>; mx=.*; client=(%l+); id=%w+$')
  end
  if client == 'confirmed' then
    task:insert_result('RINGBACK_CLIENT_CONFIRMED', 1.0)
  elseif client == 'denied' then
    task:insert_result('RINGBACK_CLIENT_DENIED', 1.0)
  end
end

for name, value in pairs(rspamd_config:get_all_opt(N) or {}) do settings[name] = value end

local id = rspamd_config:register_symbol({name = 'RINGBACK_CHECK', type = 'callback', callback = check, group = N})
for name, symbol in pairs(symbols) do
  rspamd_config:register_symbol({name = name, type = 'virtual', parent = id, score = symbol[1], group = N, description = symbol[2]})
end

-- One atomic operation on the sessions of an account. Times are in milliseconds of this server's clock.
--
-- KEYS: leases   session -> when its owner counts as dead
--       claims   session -> when its reaper's claim expires
--       cooling  session -> when its released slot is free
--       ends     session -> when it can no longer run
--       state    heard: time of the last call; server: run id of Redis when leases were last used; sure: leases are reliable from this time on
-- ARGV: operation, lease, arguments of the operation. Returns the milliseconds to wait (0: done, -1: unknown), or a list of sessions.
local leases, claims, cooling, ends, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local operation, lease = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- During an outage no owner could renew, and lost sessions may not have been recorded again yet. All owners get half a lease to
-- do so. Only the two operations that rely on leases check for a restart.
local heard = tonumber(redis.call('HGET', state, 'heard'))
local outage = not heard or now - heard > lease / 2
if operation == 'claim_abandoned' or operation == 'held' then
    local info = redis.pcall('INFO', 'server')
    local run = type(info) == 'string' and info:match('run_id:(%w+)') or ''
    if redis.call('HGET', state, 'server') ~= run then
        outage = true
        redis.call('HSET', state, 'server', run)
    end
end
if outage then
    redis.call('HSET', state, 'sure', now + math.floor(lease / 2))
end
redis.call('HSET', state, 'heard', now)
local unsure = tonumber(redis.call('HGET', state, 'sure')) - now

for _, session in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now)) do
    redis.call('ZREM', leases, session)
    redis.call('ZREM', claims, session)
    redis.call('ZREM', ends, session)
end
redis.call('ZREMRANGEBYSCORE', cooling, '-inf', now)

if operation == 'acquire' or operation == 'hold' then
    local session, left, capacity = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
    -- A session that already has a slot keeps it, so that a call can be retried.
    if not redis.call('ZSCORE', leases, session) and capacity > 0 then
        local taken = redis.call('ZCARD', leases) + redis.call('ZCARD', claims) + redis.call('ZCARD', cooling)
        if taken >= capacity then
            local first = redis.call('ZRANGE', cooling, 0, 0, 'WITHSCORES')
            return first[2] and math.max(tonumber(first[2]) - now, 1) or -1
        end
    end
    -- No one renews a held session, so its lease lasts until its end.
    redis.call('ZADD', leases, now + (operation == 'hold' and left or lease), session)
    redis.call('ZADD', ends, now + left, session)
    return 0
end

if operation == 'renew' then
    local session, left = ARGV[3], tonumber(ARGV[4])
    -- A late renewal must not revive a session that was just released.
    if left > 0 and not redis.call('ZSCORE', cooling, session) then
        redis.call('ZREM', claims, session)
        redis.call('ZADD', leases, now + lease, session)
        redis.call('ZADD', ends, now + left, session)
    end
    return 0
end

if operation == 'release' then
    local session, pause = ARGV[3], tonumber(ARGV[4])
    if redis.call('ZREM', leases, session) + redis.call('ZREM', claims, session) > 0 then
        redis.call('ZREM', ends, session)
        redis.call('ZADD', cooling, now + pause, session)
    end
    return 0
end

if operation == 'claim_abandoned' then
    local claim = tonumber(ARGV[3])
    if unsure > 0 then
        return {}
    end
    local found = redis.call('ZRANGEBYSCORE', claims, '-inf', now)
    for _, session in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do
        redis.call('ZREM', leases, session)
        found[#found + 1] = session
    end
    for _, session in ipairs(found) do
        redis.call('ZADD', claims, now + claim, session)
    end
    return found
end

if operation == 'held' then
    if unsure > 0 then
        return unsure
    end
    return redis.call('ZRANGEBYSCORE', leases, '(' .. string.format('%.0f', now), '+inf')
end

return redis.error_reply('unknown operation')

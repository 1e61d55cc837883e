-- Push one task, a moment after the start. Arguments: host port queue

local redis = require("redis")

redis.commands.xadd = redis.command("xadd")
require("socket").sleep(0.2)
redis.connect(arg[1], tonumber(arg[2])):xadd(arg[3], "*", "payload", "arrived")

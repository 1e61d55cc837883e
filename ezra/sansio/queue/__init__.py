"""The queue half of the core: what a durable task queue does, without I/O, clock or thread.

Read it in this order: `lifecycle` (the statuses, the events and the table), `task` (one record),
`operations` and `looks` (what can be asked), `changes` (what each event writes into a record) and
`machine` (all of it put together). The machine carries operations out with `on_queues`, `pushing`,
`claiming`, `on_tasks` and `viewing`, all of them functions on its `state`. Under these are `store`
and `shelf`, which find the next task in every order (`ranking`, `ordered`), `timetable`, which
finds the next moment, `waiters` (the claims that wait), `dedup` (the keys of pushes that may come
again), `roster` (which workers have been seen) and `journal`, which undoes a failed transaction.
"""

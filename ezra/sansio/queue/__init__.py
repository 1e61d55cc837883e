"""The queue half of the core: what a durable task queue does, without I/O, clock or thread.

Read it in this order: `lifecycle` (the statuses, the events and the table), `task` (one record),
`operations` (what can be asked), `changes` (what each event writes into a record) and `machine`
(all of it put together). Under the machine are `store`, `shelf`, `timetable` and `ranking`, which
find the next task and the next moment in O(log n), and `waiters`, the claims that wait.
"""

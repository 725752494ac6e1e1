-- Deadlines and forecasts.

-- extended_due_on is known from the beginning; it counts only once the period was extended. The id makes pages stable.
DROP INDEX erasure_requests_by_due;
CREATE INDEX erasure_requests_by_due
  ON erasure_requests ((CASE WHEN extended_at IS NULL THEN due_on ELSE extended_due_on END), id)
  WHERE state NOT IN ('completed', 'refused', 'cancelled');

-- The tasks that were erased last show how long a connection's rounds take. Nothing changes them after that, so the
-- index costs one entry a task.
CREATE INDEX tasks_erased ON tasks (connection, updated_at DESC) WHERE state = 'erased';

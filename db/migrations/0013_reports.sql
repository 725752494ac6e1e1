-- The register reads requests in the order in which they came in, a page at a time.
CREATE INDEX erasure_requests_by_receipt ON erasure_requests (received_at, id);

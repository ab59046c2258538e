-- Up Migration
CREATE TABLE notes (id serial PRIMARY KEY, body text NOT NULL, embedding vector(3));
CREATE INDEX notes_embedding ON notes USING hnsw (embedding vector_l2_ops);

-- Down Migration
DROP TABLE notes;

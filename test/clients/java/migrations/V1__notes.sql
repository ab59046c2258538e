CREATE TABLE notes (id serial PRIMARY KEY, body text, embedding vector(3));

--liquibase formatted sql
--changeset clients:1
CREATE TABLE notes (id serial PRIMARY KEY, body text, embedding vector(3));
--rollback DROP TABLE notes;
--changeset clients:2
ALTER TABLE notes ADD tags text[];
--rollback ALTER TABLE notes DROP tags;

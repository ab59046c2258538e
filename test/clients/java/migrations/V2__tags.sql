ALTER TABLE notes ADD tags text[];

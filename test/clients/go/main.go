// pgx 5. Prints a line per check.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var version = "unknown"

func check(name string, work func() error) {
	result := "ok"
	if err := work(); err != nil {
		result = strings.Split(err.Error(), "\n")[0]
	}
	fmt.Printf("pgx 5\t%s\t%s\t%s\n", version, name, result)
}

func same(got, wanted any, err error) error {
	if err == nil && got != wanted {
		return fmt.Errorf("got %v instead of %v", got, wanted)
	}
	return err
}

func main() {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/jackc/pgx/v5" {
				version = strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	ctx := context.Background()
	var connection *pgx.Conn
	check("connect", func() (err error) {
		connection, err = pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
		return err
	})
	if connection == nil {
		return
	}
	defer connection.Close(ctx)
	var n int
	check("query", func() error {
		err := connection.QueryRow(ctx, "SELECT 41 + $1::int", 1).Scan(&n)
		return same(n, 42, err)
	})
	check("prepared statement", func() error {
		if _, err := connection.Prepare(ctx, "next", "SELECT $1::int + 1"); err != nil {
			return err
		}
		for i := 1; i < 4; i++ {
			err := connection.QueryRow(ctx, "next", i).Scan(&n)
			if err = same(n, i+1, err); err != nil {
				return err
			}
		}
		return nil
	})
	check("transaction", func() error {
		tx, err := connection.Begin(ctx)
		if err != nil {
			return err
		}
		if _, err = tx.Exec(ctx, "CREATE TABLE undone (n int)"); err != nil {
			return err
		}
		if err = tx.Rollback(ctx); err != nil {
			return err
		}
		var undone bool
		err = connection.QueryRow(ctx, "SELECT to_regclass('undone') IS NULL").Scan(&undone)
		return same(undone, true, err)
	})
	check("cancel", func() error {
		other, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
		if err != nil {
			return err
		}
		defer other.Close(ctx)
		signalled := make(chan error)
		go func() {
			time.Sleep(500 * time.Millisecond)
			var done bool
			err := other.QueryRow(ctx, "SELECT pg_cancel_backend($1)", connection.PgConn().PID()).Scan(&done)
			signalled <- same(done, true, err)
		}()
		_, err = connection.Exec(ctx, "SELECT pg_sleep(30)")
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "57014" {
			return fmt.Errorf("%v instead of 57014", err)
		}
		return <-signalled
	})
}

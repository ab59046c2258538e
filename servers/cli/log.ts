import type { Log } from '../../shared/util/log.js'

/** The log of the command: lines of JSON on stderr. The logger is loaded with its first line, for most runs have none. */
export function stderrLog(): Log {
  let loading: Promise<Log> | undefined
  const write = (level: keyof Log, message: string, cause: unknown) => {
    loading ??= openPino()
    void loading.then(log => log[level](message, cause))
  }
  return {
    warn: (message, cause) => write('warn', message, cause),
    error: (message, cause) => write('error', message, cause),
  }
}

async function openPino(): Promise<Log> {
  const { pino } = await import('pino')
  const logger = pino({ base: null }, pino.destination({ dest: 2, sync: true }))
  return {
    warn: (message, cause) => logger.warn({ err: cause }, message),
    error: (message, cause) => logger.error({ err: cause }, message),
  }
}

// Loaded before a program of the tests. Ends the program when the process that started it is gone: a killed test run leaves nothing.
import { isMainThread } from 'node:worker_threads'

const EVERY_MS = 500

if (isMainThread) {
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL')
  }, EVERY_MS).unref()
}

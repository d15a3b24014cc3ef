// For --import: moves the clock of the machine, as all its processes see it, as soon as there is a file.
import { existsSync } from 'node:fs'

const now = Date.now
Date.now = () => now() + (existsSync(`${process.env.JOURNAL}.moved`) ? Number(process.env.MOVE_CLOCK_MS) : 0)

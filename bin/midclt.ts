#!/usr/bin/env node
/** Runs the bundle of the daemon path. */
import { load } from '../lib/compiled.js';

const filename = `${__dirname}/thin.js`;
load(filename).main(module.exports, require, module, filename, __dirname);

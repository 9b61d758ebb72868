"""Sources of accounts to follow, one idea a module; filters leave out whom the viewer follows or avoids."""

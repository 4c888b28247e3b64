"""Speed, memory and error of mechanisms on this machine."""

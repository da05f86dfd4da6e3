"""How all spiders behave: the manners of a guest. Scrapy reads the capitals; `lookalike scrape` adds what the user says.

In: nothing. Out: Scrapy's settings. Never: anything that hides who asks, or that works around a shop's refusal.
"""

BOT_NAME = "lookalike"
SPIDER_MODULES = ["shops.spiders"]

# One request at a time, no faster than the shop answers, and no faster than its robots.txt asks for (see shops.crawl).
ROBOTSTXT_OBEY = True
ROBOTSTXT_USER_AGENT = "lookalike"
CONCURRENT_REQUESTS = 1
CONCURRENT_REQUESTS_PER_DOMAIN = 1
AUTOTHROTTLE_ENABLED = True
AUTOTHROTTLE_TARGET_CONCURRENCY = 1.0
AUTOTHROTTLE_MAX_DELAY = 60.0
DOWNLOAD_DELAY_JITTER = 0  # a delay is the least there is, not the middle
COOKIES_ENABLED = False
REFERER_ENABLED = False
METAREFRESH_ENABLED = False  # a challenge asks to be reloaded until its script is content; we are not that browser
REDIRECT_MAX_TIMES = 5

# Every request goes through the one guarded fetcher, whoever asks: pages, pictures, robots.txt.
DOWNLOAD_HANDLERS = {
    **dict.fromkeys(("http", "https"), "shops.fetching.GuardedHandler"),
    **dict.fromkeys(("ftp", "file", "data", "s3"), None),
}
DOWNLOADER_MIDDLEWARES = {"shops.fetching.StrictRobots": 540}  # nearer to the engine than retries (550)
RETRY_EXCEPTIONS = ["shops.fetching.WayError"]
RETRY_HTTP_CODES = [500, 502, 503, 504, 408]  # never 429: that is the shop's word, and it ends the crawl
HTTPERROR_ALLOW_ALL = True  # a page's reader judges: one shop sends whole pages as HTTP 400

# The book of crawls remembers what was asked for, also across a kill; in memory it is page by page.
DUPEFILTER_CLASS = "scrapy.dupefilters.BaseDupeFilter"
SCHEDULER_MEMORY_QUEUE = "scrapy.squeues.FifoMemoryQueue"
ITEM_PIPELINES = {"shops.pipelines.Keep": 100}
CONCURRENT_ITEMS = 2  # one whose pictures are on their way, and one that waits until it is kept

TWISTED_REACTOR_ENABLED = False  # asyncio alone: a process may crawl twice
TELNETCONSOLE_ENABLED = False
REMOTE_CONTROL_ENABLED = False
LOG_INSTALL_ROOT_HANDLER = False
LOG_LEVEL = "ERROR"
